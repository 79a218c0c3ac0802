"""`export`: a run's model as an ordinary Hugging Face directory, with a model card."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from humanalign.errors import ConfigError
from humanalign.run import Run, find_runs, write_text
from humanalign.settings import ExportConfig

if TYPE_CHECKING:
    from humanalign.reward.exported import Exported

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
    if out.resolve() in (place.resolve(), (place / "model").resolve()):
        raise ConfigError(f"out: {out} is part of the run; name another directory")
    record = dict(find_runs(place))[place]
    card = _reward if run.stage == "reward" else _policy
    write_text(out / "README.md", f"{_head(run.id, record)}\n{card(place, out, record['summary'])}")
    return {"model": str(out), "run": run.id}


def _policy(place: Path, out: Path, summary: Mapping) -> str:
    from humanalign.models import Policy  # torch, for this verb only

    Policy.load(place).save_merged(out)
    return f"```yaml\n{yaml.safe_dump(dict(summary), sort_keys=False)}```\n"


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
