"""The monitor: watches a training run for a reward that is being gamed, and says so in time.

    monitor = ha.Monitor(prompts=held_out, gold=my_gold, every=10, action="back")
    ha.align(policy, prompts, reward, monitor=monitor, run="runs/mine")

In every step it reads the batch (signs.py, phrases.py) and asks the rules (rules.py); every so
many steps it has held-out prompts answered and scores them by the reward and by gold (looks.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isfinite
from statistics import stdev

from humanalign.errors import ConfigError, DataError, HumanalignError, did_you_mean
from humanalign.evaluate.monitor.book import Book
from humanalign.evaluate.monitor.fit import fit
from humanalign.evaluate.monitor.looks import (
    Look,
    choose,
    fallen,
    look,
    with_gold,
    without_old_golds,
)
from humanalign.evaluate.monitor.phrases import Phrases, Spread
from humanalign.evaluate.monitor.rules import (
    GOLD,
    MISSING,
    NAMES,
    PHRASES,
    RULES,
    Finding,
    Rule,
    kl_rule,
)
from humanalign.evaluate.monitor.showing import Row, rows_of, samples_of
from humanalign.evaluate.monitor.signs import READ, signs
from humanalign.settings.monitor import What
from humanalign.types import Action, Advice, Answers, Prompt, RewardModel, Shown

WHAT = ("off", "warn", "stop", "back")
# Steps without a finding after which a rule that rang may ring again.
QUIET = 25
# Steps in a row that a phrase must lead in.
PATIENCE = 3
NOTE = (
    "chosen as the best of all looks, on the same prompts, and therefore a little too high; "
    "evaluate measures it afresh"
)


class Monitor:
    """An Observer of training (types.Observer).

    `prompts` are held out and answered every `every` steps, `samples` times each; `gold` scores
    those answers by what is really wanted. `action` is what a rule of level danger does: "warn",
    "stop", or "back" (stop, with the weights of the best step); `rules` sets it rule by rule, "off"
    among them. With gold the symptoms are of level warning: what they warn of, gold measures.
    ConfigError: an unknown rule or action, gold without prompts, under 2 prompts, counts under 1.
    """

    def __init__(
        self,
        prompts: Sequence[Prompt | str] = (),
        gold: RewardModel | None = None,
        *,
        every: int = 10,
        samples: int = 1,
        action: What = "warn",
        rules: Mapping[str, What] | None = None,
        rollouts: int = 10,
        show: int = 4,
        kl_alarm: float = 15.0,
    ) -> None:
        self.prompts = [Prompt(p) if isinstance(p, str) else p for p in prompts]
        self.gold, self.every, self.samples = gold, every, samples
        self.action: What = action
        self.doing: dict[str, What] = dict(rules or {})
        self.rollouts, self.show = rollouts, show
        symptoms = (kl_rule(kl_alarm), *RULES)
        self.rules = symptoms if gold is None else tuple(map(_milder, symptoms))
        _check(self)
        self.book, self.phrases = Book(), Phrases()
        self.looks: list[Look] = []
        self.leading: dict[str, int] = {}
        self.grown: list[Spread] = []
        self.missing: str = ""
        self.last_true: dict[str, int] = {}
        self.rung: dict[str, int] = {}

    def see(self, shown: Shown) -> Advice:
        """Read a step; returns its numbers, what rings, and what to do about it."""
        texts = list(shown.completions[:READ])
        rows = rows_of(shown.prompts[:READ], texts, shown.rewards[:READ])
        finished = shown.finished[:READ]
        found = signs(shown.prompts[:READ], texts, shown.rewards[:READ], finished)
        self.book.note(shown.step, {**shown.metrics, **found})
        self._read_phrases(shown.step, texts, found)
        held_out = self._look(shown, found)
        alerts: list[Row] = []
        for rule, finding in self._findings(bool(held_out)):
            if self._rings(rule, shown.step):
                of = (rows, finished)
                if rule in (GOLD, MISSING):
                    of = (held_out, [True] * len(held_out))
                alerts.append(self._alert(rule, finding, shown.step, of))
        return Advice(
            metrics=found,
            alerts=alerts,
            action=_strongest(alerts),
            keep=self._keep(),
            chosen=self.chosen,
            rollouts=self._rollouts(shown.step, rows),
        )

    @property
    def chosen(self) -> int | None:
        """The step with the best smoothed gold so far; None without gold."""
        best = self._best()
        return None if best is None else best.step

    def _best(self) -> Look | None:
        scored = with_gold(self.looks)
        place = choose(scored)
        return None if place is None else scored[place]

    def _keep(self) -> list[int]:
        """The best look that is settled, and the last one, which the next may yet confirm."""
        scored = with_gold(self.looks)
        place = choose(scored, settled=True)
        return [] if place is None else sorted({scored[i].step for i in (place, -1)})

    def _read_phrases(self, step: int, texts: Sequence[str], found: dict[str, float]) -> None:
        if step < 2:  # these are answers of the reference
            self.phrases.learn(texts)
            return
        self.grown = self.phrases.grown(texts)
        found["phrase"] = self.grown[0].after if self.grown else 0.0
        now = {each.phrase for each in self.grown}
        self.leading = {phrase: self.leading.get(phrase, 0) + 1 for phrase in now}

    def _look(self, shown: Shown, found: dict[str, float]) -> list[Row]:
        """Where it is due, a look at the held-out prompts; its numbers go into `found`."""
        if not self.prompts or shown.step % self.every:
            return []
        answers = shown.ask(self.prompts, self.samples)
        golds = self._golds(answers)
        if not self.looks:
            self.book.start["proxy_sd"] = [_spread(answers.rewards)]
            self.book.start["gold_sd"] = [_spread(golds or [])]
        self.looks.append(look(shown.step, answers, golds))
        last, first = self.looks[-1], self.looks[0]
        found |= {"proxy": float(last.proxy["value"]), "kl": float(last.kl["value"])}
        if last.gold and first.gold:
            value, low, high = (float(last.gold[k]) for k in ("value", "ci_low", "ci_high"))
            found |= {"gold": value, "gold_low": low, "gold_high": high}
            risen = (found["proxy"] - float(first.proxy["value"])) / self.book.start["proxy_sd"][0]
            gold_risen = (value - float(first.gold["value"])) / self.book.start["gold_sd"][0]
            found["gap"] = risen - gold_risen
        self.looks = without_old_golds(self.looks)
        return rows_of(answers.prompts, answers.completions, answers.rewards, golds)

    def _golds(self, answers: Answers) -> list[float] | None:
        """Gold of the answers; None without gold, or where it fails later than at the first look.

        DataError at the first: then it is not set up as it should be.
        """
        self.missing = ""
        if self.gold is None:
            return None
        try:
            return _checked(self.gold.score(answers.prompts, answers.completions), answers)
        except Exception as error:
            said = f"{type(error).__name__}: {error}".strip(": ")
            if not self.looks:
                if isinstance(error, HumanalignError):
                    raise
                raise DataError(f"monitor.gold: could not score the first look ({said})") from error
            # A judge that cannot be reached once is no reason to end a run of hours.
            self.missing = said
            return None

    def _findings(self, looked: bool) -> list[tuple[Rule, Finding]]:
        """Every rule that is not off and finds something now."""
        found = [(rule, rule.decide(self.book)) for rule in self.rules if self._does(rule) != "off"]
        found.append((PHRASES, self._phrase()))
        if looked and self.missing:
            found.append((MISSING, Finding(0.0, 0.0, words=self.missing)))
        elif looked and self.gold is not None:
            found.append((GOLD, fallen(with_gold(self.looks))))
        return [(rule, f) for rule, f in found if f is not None and self._does(rule) != "off"]

    def _phrase(self) -> Finding | None:
        """The phrase that grew most, once it has been among the grown ones for some steps."""
        for each in self.grown:
            if self.leading.get(each.phrase, 0) >= PATIENCE:
                return Finding(each.after, each.before, each.before, each.phrase)
        return None

    def _does(self, rule: Rule) -> What:
        return self.doing.get(rule.name, self.action if rule.level == "danger" else "warn")

    def _rings(self, rule: Rule, step: int) -> bool:
        """True when the finding is new: it was not there in the last QUIET steps or looks."""
        quiet = max(QUIET, 2 * self.every) if rule in (GOLD, MISSING) else QUIET
        before = self.last_true.get(rule.name)
        self.last_true[rule.name] = step
        if before is not None and step - before <= quiet:
            return False
        self.rung[rule.name] = self.rung.get(rule.name, 0) + 1
        return True

    def _alert(
        self, rule: Rule, finding: Finding, step: int, of: tuple[list[Row], Sequence[bool]]
    ) -> Row:
        does = self._does(rule)
        action: Action = does if does in ("stop", "back") else "none"
        rows, finished = of
        return {
            "step": step,
            "rule": rule.name,
            "level": rule.level,
            "metric": rule.metric,
            "value": finding.value,
            "limit": finding.limit,
            "sentence": rule.sentence.format(**vars(finding)),
            "action": action,
            "chosen": self.chosen,
            "samples": samples_of(
                rows,
                finished,
                finding.shows or rule.shows,
                phrase=finding.words,
                count=self.show,
            ),
        }

    def _rollouts(self, step: int, rows: Sequence[Row]) -> list[Row]:
        """A few answers, evenly spaced over the batch, every so many steps."""
        if not self.rollouts or step % self.rollouts:
            return []
        count = min(self.show, len(rows))
        return [{"step": step, **rows[i * len(rows) // count]} for i in range(count)]

    def state(self) -> dict:
        """All that the next step depends on, as JSON."""
        return {
            "start": self.book.start,
            "recent": self.book.recent,
            "reference": self.phrases.reference,
            "looks": [{**each.as_row(), "golds": each.golds} for each in self.looks],
            "leading": self.leading,
            "grown": [each.as_dict() for each in self.grown],
            "last_true": self.last_true,
            "rung": self.rung,
        }

    def restore(self, state: dict) -> None:
        """Go on from what `state` gave."""
        recent = {name: [(s, v) for s, v in seen] for name, seen in state["recent"].items()}
        self.book = Book(state["start"], recent)
        self.phrases.learn(state["reference"])
        self.looks = [Look(**{**row, "golds": tuple(row["golds"])}) for row in state["looks"]]
        self.leading, self.last_true, self.rung = (
            dict(state[name]) for name in ("leading", "last_true", "rung")
        )
        self.grown = [Spread(**row) for row in state["grown"]]

    def summary(self) -> dict:
        """How often each rule rang, every look, the choice, the phrases that grew, the fit."""
        best = self._best()
        return {
            "alerts": sum(self.rung.values()),
            "rules": dict(self.rung),
            "chosen_step": self.chosen,
            "gold": None if best is None else best.gold,
            "gold_note": None if best is None else NOTE,
            "grown": [each.as_dict() for each in self.grown],
            "looks": [each.as_row() for each in self.looks],
            "fit": _fitted(self.looks),
        }


def _strongest(alerts: Sequence[Row]) -> Action:
    asked = {alert["action"] for alert in alerts}
    return "back" if "back" in asked else "stop" if "stop" in asked else "none"


def _check(monitor: Monitor) -> None:
    for name in monitor.doing:
        if name not in NAMES:
            hint = did_you_mean(name, NAMES) or f"; known: {', '.join(NAMES)}"
            raise ConfigError(f"monitor.rules: unknown rule '{name}'{hint}")
    for what in (monitor.action, *monitor.doing.values()):
        if what not in WHAT:
            raise ConfigError(f"monitor.action: expected {', '.join(WHAT)}, got {what!r}")
    for name in ("every", "samples", "show"):
        if getattr(monitor, name) < 1:
            got = getattr(monitor, name)
            raise ConfigError(f"monitor.{name}: expected a whole number from 1 on, got {got!r}")
    if monitor.rollouts < 0:
        raise ConfigError(f"monitor.rollouts: expected 0 (none) or more, got {monitor.rollouts!r}")
    if monitor.gold is not None and not monitor.prompts:
        raise ConfigError("monitor.gold: scores answers to held-out prompts; give monitor.prompts")
    if monitor.prompts and len({p.text for p in monitor.prompts}) < 2:
        raise ConfigError("monitor.prompts: an interval needs at least 2 different prompts")


def _spread(values: Sequence[float]) -> float:
    """The standard deviation, or 1 where there is none to divide by."""
    return (stdev(values) if len(values) > 1 else 0.0) or 1.0


def _milder(rule: Rule) -> Rule:
    """A symptom beside gold: the illness itself is measured, so this one only warns."""
    return replace(rule, level="warning") if rule.level == "danger" else rule


def _checked(golds: Sequence[float], answers: Answers) -> list[float]:
    """As plain floats, whatever array a scorer returns. DataError: too few, or not finite."""
    found = [float(gold) for gold in golds]
    if len(found) != len(answers.completions):
        raise DataError(
            f"monitor.gold: gave {len(found)} numbers for {len(answers.completions)} answers; "
            "return one number per answer"
        )
    for gold, text in zip(found, answers.completions, strict=True):
        if not isfinite(gold):
            raise DataError(f"monitor.gold: gave {gold} for {text[:60]!r}; return a finite number")
    return found


def _fitted(looks: Sequence[Look]) -> dict | None:
    points = [(float(x.kl["value"]), float(x.gold["value"])) for x in looks if x.gold]
    try:
        return fit([kl for kl, _ in points], [gold for _, gold in points]).as_dict()
    except DataError:  # too few looks, or all at the same distance
        return None
