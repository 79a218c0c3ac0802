"""The rules as rows of one table: which number, when it is out of hand, what that means.

`decide` reads the book of the run and gives a Finding or None. The rules of phrases (phrases.py)
and of gold (looks.py) read texts and answers to held-out prompts, and only their words are here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from humanalign.evaluate.monitor.book import Book

Level = Literal["notice", "warning", "danger"]
# What the samples of an alert show: the answers that most ... (showing.py).
Shows = Literal["reward", "repeats", "long", "short", "unfinished", "same", "phrase", "gold"]
STEPS, LONG = 5, 20


@dataclass(frozen=True)
class Finding:
    """A number that is out of hand: where it stands, and the limit that it has passed.

    `shows`: samples of another kind than the rule's own.
    """

    value: float
    limit: float
    before: float | None = None
    words: str = ""
    shows: Shows | None = None


Decide = Callable[[Book], Finding | None]


@dataclass(frozen=True)
class Rule:
    """`sentence` may name {value}, {limit}, {before} and {words}; it ends with what to do."""

    name: str
    metric: str
    level: Level
    decide: Decide
    sentence: str
    shows: Shows = "reward"


def elsewhere(_: Book) -> None:
    """The rule reads texts, which the book does not hold."""


def above(name: str, limit: float, steps: int = STEPS) -> Decide:
    """The whole interval over the last steps lies above `limit`."""

    def decide(book: Book) -> Finding | None:
        now = book.now(name, steps)
        return Finding(now.mean, limit) if now and now.low > limit else None

    return decide


def below(name: str, limit: float, steps: int = STEPS) -> Decide:
    """The whole interval over the last steps lies below `limit`."""

    def decide(book: Book) -> Finding | None:
        now = book.now(name, steps)
        return Finding(now.mean, limit) if now and now.high < limit else None

    return decide


def fell_to(name: str, share: float, steps: int = STEPS) -> Decide:
    """The whole interval lies below `share` of where the number stood before training."""

    def decide(book: Book) -> Finding | None:
        now, before = book.now(name, steps), book.before(name)
        if now is None or before is None or before <= 0 or now.high >= share * before:
            return None
        return Finding(now.mean, share * before, before)

    return decide


def rose_by(name: str, amount: float, steps: int = STEPS) -> Decide:
    """The whole interval lies more than `amount` above where the number stood before training."""

    def decide(book: Book) -> Finding | None:
        now, before = book.now(name, steps), book.before(name)
        if now is None or before is None or now.low <= before + amount:
            return None
        return Finding(now.mean, before + amount, before)

    return decide


def paid_by_length(limit: float, growth: float, steps: int = STEPS) -> Decide:
    """Reward goes with length, and length has moved that way by `growth` of what it was.

    Either alone is no fault: a good answer may be long, and a reward may like that.
    """

    def decide(book: Book) -> Finding | None:
        rho, words = book.now("length_correlation", steps), book.now("words", steps)
        before = book.before("words")
        if rho is None or words is None or not before:
            return None
        longer = rho.low > limit and words.low > (1 + growth) * before
        shorter = rho.high < -limit and words.high < (1 - growth) * before
        if not longer and not shorter:
            return None
        said = f"{before:.0f} to {words.mean:.0f}"
        shows: Shows = "long" if longer else "short"
        return Finding(rho.mean, limit if longer else -limit, None, said, shows)

    return decide


def kl_rule(limit: float) -> Rule:
    """The alarm of `kl.alarm`, which waits for nothing: what it warns of goes fast."""

    def decide(book: Book) -> Finding | None:
        last = book.last("kl_k1")
        return Finding(last, limit) if last is not None and last > limit else None

    return Rule(
        "kl_runaway",
        "align/kl_k1",
        "danger",
        decide,
        "The policy is {value:.1f} nats from its reference (kl.alarm={limit:g}) and reads the "
        "reward rather than its task; lower lr, raise kl.coef or set stop.kl.",
    )


RULES = (
    Rule(
        "entropy_collapse",
        "align/entropy",
        "danger",
        fell_to("entropy", 0.25),
        "The policy hardly chooses any more: its entropy is {value:.2f} nats a token, "
        "{before:.2f} before training; raise kl.coef or entropy_coef, or lower lr.",
    ),
    Rule(
        "distinct_collapse",
        "monitor/distinct2",
        "danger",
        fell_to("distinct2", 0.6),
        "The answers grow alike: {value:.0%} of their word pairs are different, {before:.0%} "
        "before training; raise kl.coef, lower lr or stop earlier.",
        "repeats",
    ),
    Rule(
        "repetition",
        "monitor/repeated",
        "danger",
        rose_by("repeated", 0.2),
        "Answers say the same again and again: {value:.0%} of an answer's word triples stand in it "
        "twice, {before:.0%} before training; charge the reward for it, or raise kl.coef.",
        "repeats",
    ),
    Rule(
        "same_answer",
        "monitor/same",
        "danger",
        rose_by("same", 0.25),
        "Different prompts get the same answer word for word: {value:.0%} of answers, {before:.0%} "
        "before training; the reward does not read the prompt, raise kl.coef or mend it.",
        "same",
    ),
    Rule(
        "length_pays",
        "monitor/length_correlation",
        "warning",
        paid_by_length(0.5, 0.2),
        "The reward follows length (rank correlation {value:.2f}) and the answers went from "
        "{words} words; balance the labels by length, or charge the reward for it.",
        "long",
    ),
    Rule(
        "ends_missing",
        "monitor/unfinished",
        "warning",
        rose_by("unfinished", 0.25),
        "Answers no longer end: {value:.0%} run into the length limit, {before:.0%} before "
        "training; raise eos_penalty or max_new_tokens.",
        "unfinished",
    ),
    Rule(
        "clip_fraction",
        "align/clip_fraction",
        "warning",
        above("clip_fraction", 0.3),
        "{value:.0%} of the tokens are clipped: a batch moves the policy further than PPO can "
        "follow; lower lr or epochs.",
    ),
    Rule(
        "reward_flat",
        "align/reward_std",
        "warning",
        fell_to("reward_std", 0.05),
        "All answers earn the same (standard deviation {value:.2g}, {before:.2g} before "
        "training), so nothing more can be learned; stop, or look whether the reward is spent.",
    ),
    Rule(
        "value_worthless",
        "align/explained_variance",
        "notice",
        below("explained_variance", -0.25, LONG),
        "The value function predicts worse than a constant (explained variance {value:.2f} over "
        "20 steps), which makes advantages noisier; lower value_lr or take value.model=adapter.",
    ),
)

PHRASES = Rule(
    "phrase_growth",
    "monitor/phrase",
    "warning",
    elsewhere,
    "A phrase takes over: “{words}” stands in {value:.0%} of the answers, {before:.0%} before "
    "training; look whether the reward pays for the words themselves, or raise kl.coef.",
    "phrase",
)
GOLD = Rule(
    "gold_falls",
    "monitor/gold",
    "danger",
    elsewhere,
    "The reward is being gamed: {words}; go back to the chosen step, raise kl.coef, or label "
    "answers of the present policy.",
    "gold",
)
MISSING = Rule(
    "gold_missing",
    "monitor/gold",
    "warning",
    elsewhere,
    "Gold could not be asked at this look ({words}), which is left out; mend monitor.gold.",
    "gold",
)
NAMES = ("kl_runaway", *(r.name for r in (*RULES, PHRASES, GOLD, MISSING)))
