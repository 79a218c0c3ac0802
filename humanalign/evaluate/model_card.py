"""The model card of an exported policy: the Hub's metadata, and what a stranger must know.

Everything comes from run.json, config.yaml and alerts.jsonl of the run, of its parents and of the
evaluations made of it; what they do not say is left out or said to be unknown, never guessed.
Names come from data: what Markdown or HTML would read in them is escaped.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from shlex import quote

from humanalign.evaluate.report.charts import number
from humanalign.evaluate.report.results import is_number, known, with_interval, within
from humanalign.evaluate.report.reward_card import escaped, told_summary
from humanalign.evaluate.report.told import went_back
from humanalign.run import flatten

HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
# Inside what is told of a metric, these are its own numbers; the rest are metrics of their own.
PARTS = ("before", "after", "difference", "relative_reduction", "win_rate")
# Breakdowns by category: the report's, and too many for a card.
BREAKDOWNS = ("by", "by_category", "by_mutation", "bins", "samples")
UNSET = ("None", "[]", "{}", "", "False")
ENOUGH = 500  # prompts below which the field's published figures were noise


@dataclass(frozen=True)
class Told:
    """A run as its card needs it: run.json, config.yaml and the alerts it raised."""

    record: Mapping
    config: Mapping
    alerts: Sequence[Mapping] = ()

    @property
    def summary(self) -> Mapping:
        return within(self.record, "summary")

    @property
    def stage(self) -> str:
        return str(self.record.get("stage"))


@dataclass(frozen=True)
class Story:
    """What is known of a policy: its own run, those it was built on, and those that measured it.

    `base` is the model that all began with, `license` its licence where that is known; the model
    reads `context` tokens, None where unbounded.
    """

    run: Told
    ancestors: Sequence[Told]
    measured: Sequence[Told]
    base: str
    license: str | None
    is_encoder_decoder: bool
    context: int | None = None


def policy_card(story: Story) -> str:
    """The README.md of an exported policy."""
    sections = (
        _what(story),
        _use(story),
        _training(story),
        *(_evaluation(run) for run in story.measured),
        _trust(story),
        _alerts(story.run),
        _limits(story),
    )
    return f"---\n{_metadata(story)}\n---\n\n" + "\n\n".join(filter(None, sections)) + "\n"


def _metadata(story: Story) -> str:
    """The front matter, as huggingface_hub's own class writes it."""
    from huggingface_hub import EvalResult, ModelCardData  # slow to import; for this card only

    results = [
        EvalResult(
            task_type="text-generation",
            dataset_type=_dataset(run.config) or "custom",
            dataset_name=PurePath(str(run.config.get("prompts") or run.stage)).name,
            metric_type=name.rpartition("/")[2],
            metric_name=name,
            metric_value=told["after"]["value"],
        )
        for run in story.measured
        for name, told in measures(run.summary)
    ]
    return ModelCardData(
        library_name="transformers",
        base_model=story.base if HUB_NAME.fullmatch(story.base) and "/" in story.base else None,
        license=story.license,
        datasets=[name] if (name := _dataset(story.run.config)) else None,
        pipeline_tag=None if story.is_encoder_decoder else "text-generation",
        tags=["humanalign", story.run.stage, _method(story.run)],
        model_name=str(story.run.record["id"]),
        eval_results=results or None,
    ).to_yaml()


def _what(story: Story) -> str:
    run = story.run
    base = escaped(_short(story.base))
    version = within(run.record, "versions").get("humanalign")
    return (
        f"# Model of run {escaped(str(run.record['id']))}\n\n"
        f"{base}, after {escaped(_method(run))} with humanalign {escaped(str(version))}, "
        f"seed {run.record.get('seed')}. The adapter, if there was one, is part of the weights."
    )


CODE = """```python
from transformers import {kind}, AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained(folder)
model = {kind}.from_pretrained(folder)
words = tokenizer(prompt, return_tensors="pt")
said = model.generate(**words, max_new_tokens={tokens}, do_sample=False)[0]
answer = tokenizer.decode(said{answer}, skip_special_tokens=True)
```"""


def _use(story: Story) -> str:
    """Code that runs as it stands, `folder` and `prompt` given."""
    both = story.is_encoder_decoder
    tokens = story.run.config.get("max_new_tokens") or min(64, (story.context or 128) // 2)
    code = CODE.format(
        kind="AutoModelForSeq2SeqLM" if both else "AutoModelForCausalLM",
        tokens=tokens,
        answer="" if both else "[words.input_ids.shape[1] :]",
    )
    template = story.run.config.get("template")
    form = f" Prompts were made by the template `{_code(template)}`." if template else ""
    heat = story.run.config.get("temperature")
    sampled = f" In training it answered at temperature {number(heat)}." if is_number(heat) else ""
    return f"## How to use it\n\n{code}\n\nThe likeliest answer.{sampled}{form}"


def _training(story: Story) -> str:
    run, summary = story.run, story.run.summary
    config = flatten(run.config)
    rows = [("Method", _method(run))]
    if config.get("reward"):
        rows.append(("Reward", _named(config["reward"])))
    rows += [(key, number(summary[key])) for key in ("steps", "pairs", "rows") if key in summary]
    for name, key in (
        ("KL coefficient", "kl.coef"),
        ("Learning rate", "lr"),
        ("LoRA", "lora.rank"),
    ):
        if is_number(config.get(key)):
            rows.append((name, number(config[key])))
    rows += _reached(summary)
    for parent in story.ancestors:
        each_other = within(parent.summary, "card", "labelers").get("each_other")
        if known(each_other):
            rows.append(("Labelers agree with each other", with_interval(each_other)))
    rows += [(f"From run ({p.stage})", str(p.record.get("id"))) for p in story.ancestors]
    rows.append(("Settings", str(run.record.get("config_hash"))))
    return "## How it was trained\n\n" + _table(("", ""), rows)


def _reached(summary: Mapping) -> Iterator[tuple[str, str]]:
    """Where training came to, by what was measured of the weights that were kept."""
    if went_back(summary):
        yield "Weights kept", f"of step {number(summary['kept_step'])}, those after it thrown away"
    look = within(summary, "kept") if summary.get("kl") is None else {}
    if is_number(summary.get("kl")) or known(summary.get("kl")):
        yield "KL to the model before, nats", with_interval(summary["kl"])
    elif known(look.get("kl")):
        yield "KL to the model before on held-out prompts, nats", with_interval(look["kl"])
    if is_number(summary.get("reward_before")) and is_number(summary.get("reward_after")):
        moved = f"{number(summary['reward_before'])} → {number(summary['reward_after'])}"
        yield "Reward in training (what was optimised: no evidence)", moved
    elif known(look.get("proxy")):
        yield (
            "Reward on held-out prompts (what was optimised: no evidence)",
            with_interval(look["proxy"]),
        )


def measures(tree: Mapping, prefix: str = "") -> Iterator[tuple[str, Mapping]]:
    """Everything a summary tells of after (and before) training, by its path in slashes."""
    for key, value in tree.items():
        if not isinstance(value, Mapping) or key in BREAKDOWNS:
            continue
        name = f"{prefix}{key}"
        if known(value.get("after")):
            yield name, value
        inner = {k: v for k, v in value.items() if k not in PARTS}
        yield from measures(inner, f"{name}/")


def _evaluation(run: Told) -> str:
    rows = [_row(name, told) for name, told in measures(run.summary)]
    if run.stage == "redteam":
        by = within(run.summary, "by")
        rows += [_row(f"success, {name}", told) for name, told in by.items() if _after(told)]
    if not rows:
        return ""
    title = "Under attack" if run.stage == "redteam" else "What changed"
    head = ("", "before", "after", "change", "p (Holm)", "verdict")
    return (
        f"## {title}\n\n{_table(head, rows)}\n\n95 % intervals over prompts; the same prompts "
        f"before and after.\n\n```\n{_command(run)}\n```"
    )


def _after(told: object) -> bool:
    return isinstance(told, Mapping) and known(told.get("after"))


def _row(name: str, told: Mapping) -> tuple[str, ...]:
    shown = [with_interval(told[k]) if told.get(k) else "" for k in PARTS[:3]]
    p = told.get("p_holm", told.get("p"))
    return (name, *shown, number(p) if is_number(p) else "", str(told.get("verdict", "")))


def _trust(story: Story) -> str:
    """What the reward model's own card says of it, for each reward run it was trained on."""
    parts = []
    for run in story.ancestors:
        told = told_summary(run.summary) if run.stage == "reward" else None
        if told:
            parts.append(escaped(" ".join(told.verdict)))
            parts += ["\n".join(f"- {escaped(warning)}" for warning in told.warnings)]
    parts = list(filter(None, parts))
    return "\n\n".join(["## How far its reward can be trusted", *parts]) if parts else ""


def _alerts(run: Told) -> str:
    if not run.alerts:
        return ""
    # Their sentences hold numbers, so that no two are alike: the rule tells their kind.
    kinds = [str(alert.get("rule") or alert.get("sentence")) for alert in run.alerts]
    counts, first = Counter(kinds), dict(zip(reversed(kinds), reversed(run.alerts), strict=True))
    rows = [
        (str(first[kind].get("level")), str(first[kind].get("sentence")), number(count))
        for kind, count in counts.most_common()
    ]
    head = ("", "the first alert of each kind", "times")
    return "## What the monitor saw in training\n\n" + _table(head, rows)


def _limits(story: Story) -> str:
    said = list(_doubts(story))
    said += [
        "A reward stands for what its labelers wanted on prompts like theirs; what else they "
        "would have minded was never asked.",
        "What the base model gets wrong, or took from its own data, is still in it unless a "
        "number above says otherwise.",
    ]
    return "## Limits and risks\n\n" + "\n".join(f"- {escaped(line)}" for line in said)


def _doubts(story: Story) -> Iterator[str]:
    evaluations = [run for run in story.measured if run.stage == "evaluate"]
    told = [(name, told) for run in evaluations for name, told in measures(run.summary)]
    if not told:
        yield "No evaluation of this model is known: nothing here shows that it is better."
    sizes = [t["after"]["n"] for _, t in told if is_number(t["after"].get("n"))]
    if sizes and min(sizes) < ENOUGH:
        yield f"Some figures rest on {number(min(sizes))} prompts; read their intervals first."
    if worse := [name for name, t in told if t.get("verdict") == "worse"]:
        yield f"Shown to be worse than before: {', '.join(worse)}."
    if not any(run.stage == "redteam" for run in story.measured):
        yield "It was not attacked on purpose (redteam): how it answers to malice is unknown."
    if flatten(story.run.config).get("kl.coef") == 0:
        yield "Nothing held it near the model before (KL coefficient 0): look for reward hacking."
    if _method(story.run) == "ilql":
        yield "ILQL's heads, which steer its sampling, are not part of this directory."


def _method(run: Told) -> str:
    return str(run.summary.get("method") or run.config.get("method") or run.stage)


def _dataset(config: Mapping) -> str | None:
    """The Hub's data set that a run read, None where it read a file."""
    name = str(config.get("prompts") or config.get("pairs") or config.get("data") or "")
    # A file has an ending, a folder is there; "owner/name" is how the Hub names its own.
    is_name = "/" in name and HUB_NAME.fullmatch(name) and not Path(name).suffix
    return name if is_name and not Path(name).exists() else None


def _command(run: Told) -> str:
    set_to = [(key, _named(value)) for key, value in flatten(run.config).items()]
    words = [f"{key}={quote(_code(value))}" for key, value in set_to if value not in UNSET]
    return " \\\n  ".join([f"humanalign {run.stage}", *words])


def _named(value: object) -> str:
    """A setting in words; of a path on somebody's disk only the end."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k}: {_named(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_named, value)) + "]"
    return re.sub(r"(?<![\w/])/[^\s,:?]+", lambda found: _short(found[0]), str(value))


def _short(name: str) -> str:
    path = PurePath(name)
    return "/".join(path.parts[-2:]) if path.is_absolute() else name


def _code(text: object) -> str:
    """Words that cannot end the code they stand in."""
    return " ".join(str(text).split()).replace("`", "'")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["-"] * len(head), *([escaped(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


__all__ = ["Story", "Told", "measures", "policy_card"]
