"""One person's taste: a head of their own on top of the pooled reward, held back by shrinkage.

r_u(x) = r(x) + w_u . phi(x), where phi is what the pooled reward's head sees. w_u minimises the
Bradley-Terry loss of the person's pairs plus lambda |w_u|^2 / 2: a normal prior around the pooled
taste, so that a few comparisons move little (a common vector plus one of each task's own:
Evgeniou & Pontil 2004, "Regularized multi-task learning"). lambda is chosen by cross-validation,
and infinity, the pooled reward itself, is among the choices.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit
from torch import Tensor

from humanalign.errors import ConfigError, DataError
from humanalign.intervals import mean_interval
from humanalign.reward.scoring import check_rows
from humanalign.rows import write_bytes
from humanalign.types import EvalResult, PreferencePair, content_id

FEWEST = 20
FOLDS = 5
SHRINKAGE = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, float("inf"))
FILE = "personal.json"


class Pooled(Protocol):
    """A reward whose head can be replaced: scores, and what the head sees."""

    def score(self, prompts: Sequence[str], completions: Sequence[str]) -> list[float]: ...

    def features(self, prompts: Sequence[str], completions: Sequence[str]) -> Tensor: ...


@dataclass(frozen=True)
class _Pairs:
    """What a person's pairs are to the fit: `margin` [N] of the pooled reward, `step` [N, D] the
    difference of features, chosen less rejected, `weight` [N], `group` [N] the prompt."""

    margin: np.ndarray
    step: np.ndarray
    weight: np.ndarray
    group: np.ndarray

    def part(self, rows: np.ndarray) -> _Pairs:
        return _Pairs(self.margin[rows], self.step[rows], self.weight[rows], self.group[rows])


@dataclass(frozen=True)
class PersonalReward:
    """A RewardModel of one person.

    `gain` is the accuracy on held-out pairs of this head less that of the pooled reward, with its
    interval; `shrinkage` the lambda that was chosen (inf: the pooled reward is kept as it is).
    """

    pooled: Pooled
    user: str
    weights: np.ndarray
    shrinkage: float
    gain: EvalResult

    def score(self, prompts: Sequence[str], completions: Sequence[str]) -> list[float]:
        """One number per row, on the pooled reward's scale; higher is better."""
        check_rows(prompts, completions)
        own = _array(self.pooled.features(prompts, completions)) @ self.weights
        return (np.array(self.pooled.score(prompts, completions)) + own).tolist()

    def save(self, root: Path | str) -> Path:
        """Write this person's file below `root`; `forget` deletes it."""
        gain = {"metric": self.gain.metric, **self.gain.as_dict()}
        about = {"user": self.user, "shrinkage": self.shrinkage, "gain": gain}
        content = json.dumps(about | {"weights": self.weights.tolist()}).encode()
        return write_bytes(_place(root, self.user) / FILE, content)

    @classmethod
    def load(cls, pooled: Pooled, root: Path | str, user: str) -> PersonalReward:
        """Read what `save` wrote. DataError: this person has no file there."""
        file = _place(root, user) / FILE
        if not file.is_file():
            raise DataError(f"{root}: holds nothing of '{user}'; fit a personal reward first")
        row = json.loads(file.read_text(encoding="utf-8"))
        gain = EvalResult(**row["gain"])
        return cls(pooled, user, np.array(row["weights"]), float(row["shrinkage"]), gain)


def fit_personal(
    pooled: Pooled, pairs: Sequence[PreferencePair], user: str, *, seed: int = 0
) -> PersonalReward:
    """Fit a person's head on their own pairs.

    The gain is measured by cross-validation over prompts, lambda chosen inside each fold, so
    that no pair is scored by a head that saw its prompt. DataError: fewer than 20 pairs, or all of
    one prompt.
    """
    prompts = {each.prompt for each in pairs}
    if len(pairs) < FEWEST or len(prompts) < FOLDS:
        raise DataError(
            f"a personal reward needs {FEWEST} comparisons on {FOLDS} prompts or more, got "
            f"{len(pairs)} on {len(prompts)}; let '{user}' judge more"
        )
    data = _read(pooled, pairs)
    better = np.zeros(len(pairs))
    for rows in _folds(data.group, seed):
        rest = data.part(~rows)
        held, w = data.part(rows), _fit(rest, _choose(rest, seed))
        better[rows] = _right(held.margin + held.step @ w) - _right(held.margin)
    gain = mean_interval(better.tolist(), data.group.tolist(), metric="personal gain in accuracy")
    shrinkage = _choose(data, seed)
    return PersonalReward(pooled, user, _fit(data, shrinkage), shrinkage, gain)


def forget(root: Path | str, user: str) -> bool:
    """Delete everything kept of a person's taste; return whether there was anything."""
    place = _place(root, user)
    existed = place.is_dir()
    shutil.rmtree(place, ignore_errors=True)
    return existed


def _place(root: Path | str, user: str) -> Path:
    if not user:
        raise ConfigError("user: name whose taste this is, got ''")
    # A hash, since a name may hold any character; it is in the file.
    return Path(root) / content_id("personal", user)


def _read(pooled: Pooled, pairs: Sequence[PreferencePair]) -> _Pairs:
    prompts = [each.prompt for each in pairs]
    chosen, rejected = [each.chosen for each in pairs], [each.rejected for each in pairs]
    high, low = (np.array(pooled.score(prompts, words)) for words in (chosen, rejected))
    a, b = (_array(pooled.features(prompts, words)) for words in (chosen, rejected))
    names = {each: number for number, each in enumerate(dict.fromkeys(prompts))}
    return _Pairs(
        margin=high - low,
        step=a - b,
        weight=np.array([each.weight for each in pairs]),
        group=np.array([names[each] for each in prompts]),
    )


def _choose(data: _Pairs, seed: int) -> float:
    """The lambda with the least held-out loss; among equals the strongest."""
    losses = dict.fromkeys(SHRINKAGE, 0.0)
    for rows in _folds(data.group, seed + 1):
        rest, held = data.part(~rows), data.part(rows)
        for each in SHRINKAGE:
            logits = held.margin + held.step @ _fit(rest, each)
            losses[each] += float((held.weight * np.logaddexp(0, -logits)).sum())
    return min(SHRINKAGE[::-1], key=lambda each: round(losses[each], 9))


def _fit(data: _Pairs, shrinkage: float) -> np.ndarray:
    """w [D] at the least of sum_i weight_i softplus(-(margin_i + step_i . w)) + lambda s |w|^2 / 2.

    s is the mean squared length of the steps, so that lambda means the same for every backbone.
    """
    width = data.step.shape[1]
    if np.isinf(shrinkage):
        return np.zeros(width)
    penalty = shrinkage * max(float((data.step**2).sum(1).mean()), 1e-12)

    def objective(w: np.ndarray) -> tuple[float, np.ndarray]:
        logits = data.margin + data.step @ w
        loss = (data.weight * np.logaddexp(0, -logits)).sum() + penalty * (w @ w) / 2
        slope = -data.weight * expit(-logits)
        return float(loss), data.step.T @ slope + penalty * w

    return minimize(objective, np.zeros(width), jac=True, method="L-BFGS-B").x


def _folds(group: np.ndarray, seed: int) -> list[np.ndarray]:
    """Masks [N] of the rows held out in turn; the pairs of a prompt are held out together."""
    names = np.random.default_rng(seed).permutation(np.unique(group))
    return [np.isin(group, names[start::FOLDS]) for start in range(min(FOLDS, len(names)))]


def _right(margin: np.ndarray) -> np.ndarray:
    """1 where the chosen answer scores higher, 1/2 where both score the same."""
    return (margin > 0) + 0.5 * (margin == 0)


def _array(features: Tensor) -> np.ndarray:
    return features.detach().float().cpu().numpy().astype(float)
