"""The curves of a run in groups: what to look at first, and what only explains it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from humanalign.evaluate.report.charts import MOST_POINTS, Curve, curve, number
from humanalign.evaluate.report.results import is_number, rows_of

FIRST = "Reward and distance"
ANSWERS = "What the answers are like"
OPTIMISATION = "How the optimisation goes"
REST = "Everything else that was logged"
GROUPS = (FIRST, ANSWERS, OPTIMISATION, REST)

# metric -> its name for a reader, its unit, its group, and what to look for in it
METRICS: dict[str, tuple[str, str, str, str]] = {
    "align/reward": (
        *("Reward", "score of the reward model", FIRST),
        "What the reward model gives the answers of a step. It should rise.",
    ),
    "align/kl": (
        *("Distance from the start", "KL, nats an answer", FIRST),
        "The price paid for reward; a runaway means hacking.",
    ),
    "align/accuracy": (
        *("Pairs told apart", "share of pairs", FIRST),
        "Share of pairs in which the preferred answer leads.",
    ),
    "align/loss": (
        *("Loss", "loss", OPTIMISATION),
        "What the optimizer minimises, all its terms together.",
    ),
    "align/entropy": (
        *("Entropy", "nats a token", ANSWERS),
        "How many ways to go on the policy sees. A collapse is sameness.",
    ),
    "align/length": (
        *("Length in tokens", "tokens", ANSWERS),
        "Length that chases reward is a warning.",
    ),
    "align/finished": (
        *("Finished answers", "share of answers", ANSWERS),
        "Answers that ended by themselves. Endless answers escape judgement.",
    ),
    "align/reward_std": (
        *("Reward spread", "score of the reward model", ANSWERS),
        "Standard deviation over a batch. Zero teaches nothing.",
    ),
    "align/policy_loss": (
        *("Policy loss", "loss", OPTIMISATION),
        "The clipped objective. Its level has no meaning.",
    ),
    "align/value_loss": (
        *("Value loss", "loss", OPTIMISATION),
        "How badly the value head foresees the reward. It should fall and stay low.",
    ),
    "align/explained_variance": (
        *("Value explained", "share of variance", OPTIMISATION),
        "How much of the return the value head foresees; 1 is all, below 0 is harm.",
    ),
    "align/clip_fraction": (
        *("Clipped share", "share of tokens", OPTIMISATION),
        "Tokens whose change hit the trust region. Far above .3 the steps are too large.",
    ),
    "align/policy_kl": (
        *("Step size", "KL, nats a token", OPTIMISATION),
        "KL from the sampling policy within a step.",
    ),
    "align/grad_norm": (
        *("Gradient norm", "before clipping", OPTIMISATION),
        "Spikes come before trouble.",
    ),
    "align/ratio": (
        *("Probability ratio", "new over old", OPTIMISATION),
        "Of the tokens that were sampled; it should stay near 1.",
    ),
    "align/lr": ("Learning rate", "step size", OPTIMISATION, ""),
    "align/kl_coef": ("KL coefficient", "reward a nat", OPTIMISATION, "How much each nat costs."),
    "align/kl_penalty": (
        *("KL penalty", "nats an answer", REST),
        "The distance that is charged, before its coefficient.",
    ),
    "align/kl_k1": (
        *("Distance, signed", "KL, nats an answer", REST),
        "The same KL by its signed estimator; noisier, unbiased.",
    ),
    "align/score": (
        *("Score", "standardised score", REST),
        "The reward as learned from: standardised, EOS penalty taken off.",
    ),
    "align/objective": (
        *("Objective", "standardised score", REST),
        "The score less the charge for distance: what is maximised.",
    ),
    "reward/loss": (
        *("Loss", "nats a pair", FIRST),
        "−log σ(chosen − rejected). Guessing costs .693.",
    ),
    "reward/accuracy": (
        *("Accuracy", "share of pairs", FIRST),
        "Share of pairs put in the order that labelers gave. Chance is .5.",
    ),
    "reward/eval_accuracy": (
        *("Held-out accuracy", "share of pairs", FIRST),
        "The same on pairs the model never saw.",
    ),
    "sft/loss": (
        *("Loss", "nats a token", FIRST),
        "Surprise at the demonstrations. It should fall.",
    ),
    "monitor/proxy": (
        *("Proxy on held-out prompts", "score of the reward model", FIRST),
        "The reward that is trained on, where nothing is trained.",
    ),
    "monitor/gold": (
        *("Gold on held-out prompts", "score of the gold scorer", FIRST),
        "The scorer that is kept out of training. It falling while proxy rises is hacking.",
    ),
    "monitor/kl": (
        *("Distance on held-out prompts", "KL, nats an answer", FIRST),
        "From the model before, where nothing is trained.",
    ),
    "monitor/gap": (
        *("Proxy minus gold", "standardised scores", FIRST),
        "Each counted from the first look. What opens is reward that nobody else sees.",
    ),
    "monitor/distinct2": (
        *("Distinct bigrams", "share of bigrams", ANSWERS),
        "All answers of a step together. A fall is sameness.",
    ),
    "monitor/length_correlation": (
        *("Length with reward", "rank correlation", ANSWERS),
        "Near 1 the reward counts words.",
    ),
    "monitor/phrase": (
        *("Most grown phrase", "share of answers", ANSWERS),
        "How many answers hold the phrase that grew most; 0 where none did.",
    ),
    "monitor/same": (
        *("Same answer twice", "share of answers", ANSWERS),
        "Answers that another prompt got word for word.",
    ),
    "monitor/words": ("Length in words", "words", ANSWERS, "The mean over a batch's answers."),
    "monitor/unfinished": (
        *("Cut-off answers", "share of answers", ANSWERS),
        "Answers without an end of their own.",
    ),
    "monitor/repeated": (
        *("Repeated phrases", "share of answers", ANSWERS),
        "Answers that say one thing over and over.",
    ),
}
PLACE = {name: place for place, name in enumerate(METRICS)}


@dataclass(frozen=True)
class Group:
    """Curves under one heading; `still` are the metrics that never moved, with their value."""

    title: str
    curves: tuple[Curve, ...]
    still: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Alert:
    """What the monitor raised at a step, in its own words; `level` is notice, warning, danger.

    `rule` is its name; `named` the same in words, "" where `measured` begins with it.
    """

    step: float
    level: str
    rule: str
    named: str
    sentence: str
    action: str
    measured: str
    samples: tuple[Mapping, ...]


def groups(
    prefix: str,
    metrics: Sequence[Mapping],
    *,
    alerts: Sequence[Alert] = (),
    only: str = "",
    without: str = "time/",
    most: tuple[int, int] = (48, MOST_POINTS),
) -> list[Group]:
    """The curves of `metrics` whose names begin with `only` and not with `without`, grouped.

    `most`: how many curves, and how many points in each.
    """
    names = dict.fromkeys(name for row in metrics for name in row if name != "step")
    shown = [n for n in names if n.startswith(only) and not n.startswith(tuple(without.split()))]
    shown.sort(key=lambda name: (PLACE.get(name, len(PLACE)), name))
    drawn: dict[str, list[Curve]] = {title: [] for title in GROUPS}
    still: dict[str, list[tuple[str, str]]] = {title: [] for title in GROUPS}
    flags = [alert.step for alert in alerts]
    for place, name in enumerate(shown[: most[0]]):
        points = [(row["step"], row[name]) for row in metrics if is_number(row.get(name))]
        if not points:
            continue
        title, unit, group, explanation = METRICS.get(name, (plain(name), "", REST, ""))
        steps, values = zip(*points, strict=True)
        if group != FIRST and len(values) > 1 and min(values) == max(values):
            still[group].append((title, number(values[0])))
            continue
        id = f"{prefix}-{place}"
        drawn[group].append(
            curve(id, title, explanation, steps, values, unit=unit, alerts=flags, most=most[1])
        )
    found = [Group(t, tuple(drawn[t]), tuple(still[t])) for t in GROUPS if drawn[t] or still[t]]
    left = len(shown) - most[0]
    return found if left <= 0 else [*found, Group(f"{left} more metrics are left out", ())]


def plain(name: str) -> str:
    """A metric's name as a reader's word: "align/kl_coef" is "Kl coef"."""
    return name.split("/", 1)[-1].replace("_", " ").capitalize()


def read_alerts(rows: Sequence[Mapping]) -> list[Alert]:
    """The alerts of alerts.jsonl in the order of their steps; rows without a step are left out."""
    found = [row for row in rows if is_number(row.get("step"))]
    return [_alert(row) for row in sorted(found, key=lambda row: row["step"])]


LEVELS = ("danger", "warning", "notice")


def _alert(row: Mapping) -> Alert:
    level = str(row.get("level"))
    measured = ""
    if is_number(row.get("value")):
        metric = str(row.get("metric") or "").removeprefix("monitor/").removeprefix("align/")
        limit = f", limit {number(row['limit'])}" if is_number(row.get("limit")) else ""
        measured = f"{metric.replace('_', ' ')} {number(row['value'])}{limit}".strip()
    rule = str(row.get("rule") or "")
    words = rule.replace("_", " ")
    return Alert(
        step=row["step"],
        level=level if level in LEVELS else "notice",
        rule=rule,
        named="" if measured.startswith(words) else words,
        sentence=str(row.get("sentence") or ""),
        action={"stop": "Training stopped.", "back": "Went back to the best checkpoint."}.get(
            str(row.get("action")), ""
        ),
        measured=measured,
        samples=tuple(rows_of(row.get("samples"))),
    )
