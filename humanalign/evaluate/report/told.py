"""Each stage in plain words with its own numbers, and the facts that need no picture."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from humanalign.evaluate.report.charts import number
from humanalign.evaluate.report.curves import Alert
from humanalign.evaluate.report.results import with_interval, within


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
    moved = ""
    if "reward_before" in s and "reward_after" in s:
        moved = (
            f" Over {number(s.get('steps'))} steps the reward went from "
            f"{number(s['reward_before'])} to {number(s['reward_after'])}"
        )
        moved += f", at {number(s['kl'])} nats from the start." if "kl" in s else "."
    return (
        "In each step the policy answers a batch of prompts, the reward model scores the answers, "
        f"and the policy is nudged towards those that scored above expectation.{moved}",
        "A reward alone can be gamed: the model would drift to any text that scores. So each "
        "answer pays for its distance from the model as it was, and the curves below are read "
        "together: reward should rise while the distance stays small.",
    )


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
    return (
        "A reward is a proxy for what people want, and training finds where the two part. Rules "
        f"watch the answers, and a scorer that is held out, while it trains. {rung}.{kept}",
    )


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
    *("perplexity", "honesty", "hhh", "attack_success", "over_refusal"),
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
        elif isinstance(value, int | float) and not isinstance(value, bool):
            facts.append((label, number(value)))
    return facts


def _alone(label: str, told: Mapping) -> list[tuple[str, str]]:
    """The measures of a model that is compared with none, which has only an "after"."""
    if "after" in told and "before" not in told:
        return [(label, with_interval(told["after"]))]
    inner = [(str(name), value) for name, value in told.items() if isinstance(value, Mapping)]
    return [fact for name, value in inner if "value" not in value for fact in _alone(name, value)]
