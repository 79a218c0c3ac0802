"""Each stage in plain words with its own numbers, and the facts that need no picture."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from humanalign.evaluate.report.charts import number
from humanalign.evaluate.report.curves import Alert
from humanalign.evaluate.report.results import is_number, rows_of, whole, with_interval, within


def _collect(s: Mapping) -> tuple[str, ...]:
    return (
        f"The model answered {number(s.get('prompts'))} prompts, "
        f"{number(s.get('completions'))} answers in all. Nobody has judged anything yet: several "
        "answers to one prompt are the material from which people choose.",
    )


def _prefer(s: Mapping) -> tuple[str, ...]:
    first = (
        f"Labelers put the answers to each prompt in order: {number(s.get('rankings'))} rankings, "
        f"{number(s.get('pairs'))} pairs. A ranking of K answers without ties holds K(K−1)/2 "
        "pairs, and each says one thing: this answer is preferred to that one."
    )
    second = (
        "How often labelers agree is the yardstick for what follows. The consensus of several is "
        "steadier than any one of them; a reward model far beyond even that has seen the answers."
    )
    return first, second


def _reward(s: Mapping) -> tuple[str, ...]:
    purpose = (
        "The reward model takes the place of the labelers. It reads a prompt and an answer, gives "
        "one number, and learned to give the preferred answer the higher one by the loss "
        "−log σ(r(chosen) − r(rejected))."
    )
    if within(s, "auroc"):
        return (
            "The reward learned from texts with labels, one vote or many on each: it reads a text "
            "and gives every label a number. One of them, chosen by its name, is the reward.",
        )
    if within(s, "card"):
        return (purpose,)  # the card says how often it is right
    share = with_interval(s.get("accuracy"))
    return (
        purpose,
        f"On pairs it had not seen it picks the preferred answer this often: {share}. "
        "Chance is .5.",
    )


def _align(s: Mapping) -> tuple[str, ...]:
    return (
        "In each step the policy answers a batch of prompts, the reward model scores the answers, "
        f"and the policy is nudged towards those that scored above expectation.{_moved(s)}",
        *_went_back(s),
        "A reward alone can be gamed: the model would drift to any text that scores. So each "
        "answer pays for its distance from the model as it was, and the curves below are read "
        "together: reward should rise while the distance stays small.",
    )


def _moved(s: Mapping) -> str:
    """How far training went, where it was measured of the weights that were kept."""
    if not is_number(s.get("reward_before")) or not is_number(s.get("reward_after")):
        return ""
    moved = (
        f" Over {number(s.get('steps'))} steps the reward went from {number(s['reward_before'])} "
        f"to {number(s['reward_after'])}"
    )
    return (
        f"{moved}, at {number(s['kl'])} nats from the start."
        if is_number(s.get("kl"))
        else f"{moved}."
    )


def went_back(s: Mapping) -> bool:
    """Whether policy/ holds the weights of an earlier step than the last."""
    kept, steps = s.get("kept_step"), s.get("steps")
    return is_number(kept) and is_number(steps) and kept != steps


def _went_back(s: Mapping) -> tuple[str, ...]:
    """Which step policy/ is of and what was measured there, where that is not the last."""
    if not went_back(s):
        return ()
    kept, steps = number(s["kept_step"]), number(s.get("steps"))
    reference = ", the model before," if s["kept_step"] == 0 else ""
    said = (
        f"Training went on to step {steps}, but its weights were thrown away: what was kept is of "
        f"step {kept}{reference} and every later model is built on that. The curves and the "
        "answers in samples.jsonl go on to the last step."
    )
    look = within(s, "kept")
    told = [
        f"{name} {with_interval(look[key])}"
        for key, name in (("proxy", "reward"), ("gold", "gold score"), ("kl", "distance in nats"))
        if whole(look.get(key))
    ]
    return (f"{said} On held-out prompts, at that step: {'; '.join(told)}." if told else said,)


def _evaluate(s: Mapping) -> tuple[str, ...]:
    if not s.get("against"):
        return (f"The model answered {number(s.get('prompts'))} prompts. Intervals are 95 %.",)
    return (
        f"The model before and the model after answered the same {number(s.get('prompts'))} "
        "prompts. Intervals are 95 %, from resampling prompts; a finding is called one only where "
        "the interval of the difference leaves 0 out and the p-value, adjusted by Holm for the "
        "number of measures looked at, is under .05.",
    )


def monitored(s: Mapping, alerts: Sequence[Alert]) -> tuple[str, ...]:
    """What the monitor did, from summary["monitor"] and its alerts."""
    rung = f"{len(alerts)} alert{'s' if len(alerts) != 1 else ''} rang" if alerts else "None rang"
    kept = ""
    if "chosen_step" in s and s["chosen_step"] is not None:
        kept = f" The best of the steps that were looked at is {number(s['chosen_step'])}"
        gold = s.get("gold")
        kept += f", with a gold score of {with_interval(gold)}." if gold else "."
        kept += _sentence(s.get("gold_note"))
    looked = any(whole(row.get("gold")) for row in rows_of(s.get("looks")))
    watched = (
        "Rules watch the answers, and a scorer that is held out, while it trains."
        if looked
        else "Rules watch the answers while it trains. No scorer was held out: they see symptoms "
        "only."
    )
    return (
        "A reward is a proxy for what people want, and training finds where the two part. "
        f"{watched} {rung}.{kept}",
    )


def _sentence(note: object) -> str:
    """A note as a sentence of its own, nothing where there is none."""
    said = str(note or "").strip()
    return f" {said[0].upper()}{said[1:].rstrip('.')}." if said else ""


def _redteam(s: Mapping) -> tuple[str, ...]:
    named = f" from {s['set']}" if s.get("set") else ""
    return (
        f"{number(s.get('prompts'))} prompts{named} that ask for harm, plain and in disguise, were "
        "sent to the model before and after. What counts as harm done is decided by a rule or a "
        "classifier that can err: read the answers.",
    )


def _sft(_: Mapping) -> tuple[str, ...]:
    return ("The model imitates demonstrations of the wanted behaviour, one token at a time.",)


def _plain(_: Mapping) -> tuple[str, ...]:
    return ()


TOLD: dict[str, tuple[str, Callable[[Mapping], tuple[str, ...]]]] = {
    "sft": ("Learn from demonstrations", _sft),
    "collect": ("Collect answers", _collect),
    "prefer": ("Ask for preferences", _prefer),
    "reward": ("Learn the reward", _reward),
    "align": ("Align the policy", _align),
    "evaluate": ("Measure what changed", _evaluate),
    "redteam": ("Attack it", _redteam),
}


def words_of(stage: str, summary: Mapping) -> tuple[str, tuple[str, ...]]:
    """The title of a stage and its paragraphs; one without words of its own has only a title."""
    title, tell = TOLD.get(stage, (stage.capitalize(), _plain))
    # What is said without a number is true of a run that has only begun.
    return title, tell(summary) if summary or tell in (_align, _sft) else ()


# Characters of a fact.
LONGEST = 300
# Shown elsewhere in the page, in a better form than a fact.
NOT_FACTS = (
    *("labelers", "toxicity", "quality", "scorers", "length", "distinct2", "kl", "scale"),
    *("perplexity", "honesty", "hhh", "attack_success", "over_refusal", "kept"),
    "degenerate",
)


def facts_of(summary: Mapping) -> list[tuple[str, str]]:
    """(name, number or word) of everything in a summary that no table or picture shows."""
    facts: list[tuple[str, str]] = []
    # An evaluation names its models twice: by the key of its settings, and as they call themselves.
    twice = ("policy", "against") if "model" in summary else ()
    for name, value in summary.items():
        if name in twice:
            continue
        words = str(name).replace("_", " ")
        label = "KL, nats" if name == "kl" else re.sub(r"\bkl\b", "KL", words)
        if name == "snapshot":
            facts.append((label, str(value)[:12]))  # enough of a checksum to tell two apart
        elif isinstance(value, str):
            facts.append((label, value if len(value) <= LONGEST else f"{value[:LONGEST]}…"))
        elif name in NOT_FACTS and isinstance(value, Mapping):
            facts += _alone(label, value)
        elif isinstance(value, Mapping) and "value" in value:
            facts.append((label, with_interval(value)))
        elif is_number(value):
            facts.append((label, number(value)))
    return facts


def _alone(label: str, told: Mapping) -> list[tuple[str, str]]:
    """The measures of a model that is compared with none, which has only an "after"."""
    if "after" in told and "before" not in told:
        return [(label, with_interval(told["after"]))]
    inner = [(str(name), value) for name, value in told.items() if isinstance(value, Mapping)]
    return [fact for name, value in inner if "value" not in value for fact in _alone(name, value)]
