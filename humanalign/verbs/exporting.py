"""`export`: a run's model as an ordinary Hugging Face directory, with a model card."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from humanalign.errors import ConfigError
from humanalign.hub import BUNDLED
from humanalign.run import Run, find_runs, write_text
from humanalign.settings import ExportConfig

if TYPE_CHECKING:
    from humanalign.evaluate.model_card import Told
    from humanalign.reward.exported import Exported

log = logging.getLogger("humanalign")
Progress = Callable[[int, int], None] | None

LOAD = """from transformers import AutoModelForSequenceClassification, AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForSequenceClassification.from_pretrained(folder)
"""
# A tokenizer's own truncation stops at an answer that is too long by itself.
CUT = """# What is too long loses its beginning, the first text before the second.
over = max(0, words.input_ids.shape[1] - tokenizer.model_max_length)
texts = [at for at, text in enumerate(words.sequence_ids(0)) if text is not None]
kept = sorted(set(range(words.input_ids.shape[1])) - set(texts[:over]))
words = {name: values[:, kept] for name, values in words.items()}
"""
BOTH = 'tokenizer(prompt, answer, return_tensors="pt")'
CHAT = """chat = [{{"role": "user", "content": prompt}}]
asked = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
said = answer.strip() + {ending!r}
words = tokenizer(asked, said, add_special_tokens=False, return_tensors="pt")
"""
ALONE = 'tokenizer(text, return_tensors="pt")'


def export(config: ExportConfig, place: Path, progress: Progress = None) -> Mapping:
    """Write a run's policy, its adapter merged, or its reward as a sequence classifier."""
    del progress
    run, out = Run.parent(place), Path(config.out)
    if out.resolve().is_relative_to(place.resolve()):
        raise ConfigError(f"out: {out} is part of the run; name a directory outside {place}")
    if config.evaluation and not Path(config.evaluation).is_dir():
        raise ConfigError(f"evaluation: {config.evaluation} is no directory; name a run or round")
    there = next(path for path in (out.resolve(), *out.resolve().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        why = "may not be written to" if there.is_dir() else "is no directory"
        raise ConfigError(f"out: {out}: {there} {why}; name another directory")
    record = told_of(place).record
    if run.stage == "reward":
        card = f"{_head(run.id, record)}\n{_reward(place, out, record['summary'])}"
    else:
        card = _policy(place, out, Path(config.evaluation or place.resolve().parent))
    write_text(out / "README.md", card)
    return {"model": str(out), "run": run.id}


def _policy(place: Path, out: Path, around: Path) -> str:
    # torch and jinja2's markup, for this verb only
    from humanalign.evaluate.model_card import Story, policy_card
    from humanalign.models import Policy

    policy = Policy.load(place)
    # Other programs ask generation_config alone where an answer ends; training asked both.
    policy.hf.generation_config.eos_token_id = list(policy.eos_ids)
    policy.save_merged(out)
    run, base = told_of(place), _base(place)
    own = run.record["id"]
    found = [told_of(path) for path, record in find_runs(around) if _measures(record, own)]
    story = Story(
        run=run,
        ancestors=list(_ancestors(place, run.record)),
        measured=found,
        base=base,
        license=_license(base),
        is_encoder_decoder=policy.is_encoder_decoder,
        context=policy.context_length,
    )
    return policy_card(story)


def told_of(place: Path) -> Told:
    """What a run's files say of it."""
    from humanalign.evaluate.model_card import Told
    from humanalign.evaluate.report.stages import stepped

    try:
        config = yaml.safe_load((place / "config.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        log.warning("%s: its settings cannot be read (%s); its card goes without", place, error)
        config = {}
    return Told(
        record=json.loads((place / "run.json").read_text(encoding="utf-8")),
        config=config if isinstance(config, dict) else {},
        alerts=stepped(place / "alerts.jsonl"),
    )


def _measures(record: Mapping, own: str) -> bool:
    """True for a finished evaluation of the run `own`."""
    done = record["stage"] in ("evaluate", "redteam") and record["status"] == "finished"
    return done and own in [parent["id"] for parent in record["parents"]]


def _ancestors(place: Path, record: Mapping) -> Iterator[Told]:
    """The runs that this one was built on, nearest first; one that is gone is left out."""
    for parent in record["parents"]:
        # Paths are as they were typed; a round that was moved still has them side by side.
        for folder in (Path(parent["path"]), place.resolve().parent / Path(parent["path"]).name):
            if (folder / "run.json").exists():
                told = told_of(folder)
                if told.record["id"] == parent["id"]:
                    yield told
                    yield from _ancestors(folder, told.record)
                    break


def _base(place: Path) -> str:
    """The model that training began with, before all the runs between."""
    name = str(told_of(place).config.get("model", ""))
    between = Path(name)
    return _base(between) if name and (between / "run.json").exists() else name


def _license(base: str) -> str | None:
    """The base model's licence, from its card on this machine; None where nobody says."""
    from huggingface_hub import ModelCard, try_to_load_from_cache

    if base in BUNDLED:
        return "apache-2.0"
    card = Path(base) / "README.md"
    if not Path(base).is_dir():
        found = try_to_load_from_cache(base, "README.md")
        card = Path(found) if isinstance(found, str) else card
    if not card.is_file():
        return None
    named = ModelCard.load(card, ignore_metadata_errors=True).data.get("license")
    return named if isinstance(named, str) else None


def _reward(place: Path, out: Path, summary: Mapping) -> str:
    # torch and jinja2's markup, for this verb only
    from humanalign.evaluate.report.reward_card import escaped, summary_markdown
    from humanalign.reward.exported import export_reward

    made = export_reward(place / "model", out)
    labels = escaped(", ".join(made.labels))
    worth = summary_markdown(summary)
    return f"## How to use it\n\n{_use(made, labels)}\n## What it is worth\n\n{worth}"


def _use(made: Exported, labels: str) -> str:
    """Code that runs as it stands, and what the numbers mean."""
    words = f"words = {BOTH if made.reads_prompt else ALONE}\n"
    if made.ending is not None:
        words = CHAT.format(ending=made.ending)
    if len(made.labels) == 1:
        last = "score = model(**words).logits[0, 0].item()\n"
        unit = (
            "1 is one standard deviation of the answers it was fitted on, whose mean is 0"
            if made.standardised
            else "the difference of two scores is the log-odds that the first answer is preferred"
        )
        said = f"The higher the score, the better the answer; {unit}."
    else:
        last = "label = model.config.id2label[int(model(**words).logits.argmax())]\n"
        said = f"Its labels: {labels}."
    return (
        f"```python\n{LOAD}{words}{CUT}{last}```\n\n{said} It reads {made.max_tokens} tokens, "
        "those at the end of what it is given.\n"
    )


def _head(run_id: str, record: Mapping) -> str:
    head: dict = {"library_name": "transformers", "tags": ["humanalign", record["stage"]]}
    if record["stage"] == "reward":
        head |= {"pipeline_tag": "text-classification"}
    return (
        f"---\n{yaml.safe_dump(head)}---\n\n# Model of run {run_id}\n\nTrained with humanalign "
        f"{record['versions']['humanalign']}, seed {record['seed']}.\n"
    )
