"""The report's chapters: what each stage did, told in plain words with its own numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from humanalign.evaluate.report.charts import Curve, curve, number
from humanalign.evaluate.report.results import is_number, with_interval, within
from humanalign.evaluate.report.reward_card import Card, told_summary
from humanalign.evaluate.report.stages import StageRun

# metric -> its name for a reader, and what to look for in it
CURVES: dict[str, tuple[str, str]] = {
    "align/reward": (
        "Reward",
        "What the reward model gives the answers of a step. It should rise.",
    ),
    "align/kl": (
        "Distance from the start",
        "KL divergence in nats an answer. The price paid for reward; a runaway means hacking.",
    ),
    "align/entropy": ("Entropy", "How many ways to go on the policy sees. A collapse is sameness."),
    "align/value_loss": (
        "Value loss",
        "How badly the value head foresees the reward. It should fall and stay low.",
    ),
    "align/policy_loss": ("Policy loss", "The clipped objective. Its level has no meaning."),
    "align/clip_fraction": (
        "Clipped share",
        "Tokens whose change hit the trust region. Far above .3 the steps are too large.",
    ),
    "align/length": ("Answer length", "Tokens an answer. Length that chases reward is a warning."),
    "align/kl_coef": ("KL coefficient", "How much each nat costs."),
    "align/loss": ("Loss", "What the optimizer minimises, all its terms together."),
    "align/grad_norm": ("Gradient norm", "Before clipping. Spikes come before trouble."),
    "align/kl_k1": ("Distance, signed", "The same KL by its signed estimator; noisier, unbiased."),
    "align/policy_kl": ("Step size", "KL from the sampling policy within a step, nats a token."),
    "align/reward_std": ("Reward spread", "Standard deviation over a batch. Zero teaches nothing."),
    "align/score": ("Score", "The reward as learned from: standardised, EOS penalty taken off."),
    "align/accuracy": ("Pairs told apart", "Share of pairs in which the preferred answer leads."),
    "reward/loss": ("Loss", "−log σ(chosen − rejected). Guessing costs .693."),
    "reward/accuracy": (
        "Accuracy",
        "Share of pairs put in the order that labelers gave. Chance is .5.",
    ),
    "reward/eval_accuracy": ("Held-out accuracy", "The same on pairs the model never saw."),
    "sft/loss": ("Loss", "Surprise at the demonstrations, in nats a token. It should fall."),
}


@dataclass(frozen=True)
class Chapter:
    """One stage of the report: its sentences, the facts beside them, its curves."""

    run: StageRun
    title: str
    text: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    curves: tuple[Curve, ...]
    labelers: tuple[Mapping, ...] = ()
    card: Card | None = None


# What a row of the labelers table falls back on where a run's summary does not say it.
LABELER = {"id": "", "kind": "", "n": None, "agreement": None, "weight": None, "reason": ""}


def chapter(run: StageRun) -> Chapter:
    """Tell one stage; a stage without words of its own shows its numbers and curves."""
    title, tell = TOLD.get(run.stage, (run.stage.capitalize(), _plain))
    labelers = run.summary.get("labelers")
    text = tell(run.summary)
    if not run.finished:
        status = run.record.get("status", "unfinished")
        text = (f"This run is {status}, not finished: the numbers are those so far.", *text)
    return Chapter(
        run=run,
        title=title,
        text=text,
        facts=tuple(_facts(run.summary)),
        curves=tuple(_curves(run)),
        labelers=tuple(
            {**LABELER, "flagged": False, **row}
            for row in (labelers if isinstance(labelers, list) else ())
            if isinstance(row, Mapping)
        ),
        card=told_summary(run.summary, run.samples) if run.stage == "reward" else None,
    )


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
}
# Shown elsewhere in the page, in a better form than a fact.
NOT_FACTS = ("labelers", "toxicity", "quality", "scorers", "length", "distinct2", "kl", "scale")


def _facts(summary: Mapping) -> list[tuple[str, str]]:
    facts = []
    for name, value in summary.items():
        label = "KL, nats" if name == "kl" else str(name).replace("_", " ")
        if name == "snapshot":
            facts.append((label, str(value)[:12]))  # enough of a checksum to tell two apart
        elif isinstance(value, str):
            facts.append((label, value))
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


def _curves(run: StageRun) -> list[Curve]:
    names = dict.fromkeys(name for row in run.metrics for name in row if name != "step")
    rank = {name: place for place, name in enumerate(CURVES)}
    shown = [name for name in names if not name.startswith("time/")]
    curves = []
    for name in sorted(shown, key=lambda name: (rank.get(name, len(rank)), name)):
        points = [(row["step"], row[name]) for row in run.metrics if is_number(row.get(name))]
        if not points:
            continue
        title = name.split("/", 1)[-1].replace("_", " ").capitalize()
        title, explanation = CURVES.get(name, (title, ""))
        steps, values = zip(*points, strict=True)
        curves.append(curve(f"{run.name}-{len(curves)}", title, explanation, steps, values))
    return curves
