"""How well a classifier tells labels apart: accuracy, macro F1, AUROC by label, confusion.

Letters: N texts, L labels, B resamples. A text's true label is the one that most of its votes went
to; texts without such a majority are left out and counted. Intervals are 95 % percentile
bootstraps over whole clusters (Field & Welsh 2007), where a cluster is a prompt or a text with its
repeats, as in `humanalign.intervals`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence

import numpy as np

from humanalign.errors import DataError
from humanalign.intervals import CHUNK, mean_interval, wilson
from humanalign.types import EvalResult, LabelledText, RewardModel

RESAMPLES = 2_000


def majority(row: LabelledText) -> str | None:
    """The label with most of the votes, None where two share the first place."""
    most = max(row.target.values())
    first = [label for label, share in row.target.items() if share > most - 1e-9]
    return first[0] if len(first) == 1 else None


def cluster_of(row: LabelledText) -> str:
    """What must stay together: the rows of one prompt, or a text and its repeats.

    Repeats differ by case and white space at most.
    """
    return row.prompt or " ".join(row.text.casefold().split())


def auroc(scores: np.ndarray, positive: np.ndarray) -> float:
    """The chance that a positive text scores above a negative one, ties one half.

    `scores` and `positive` are [N] (True = has the label). The rank form of Mann and Whitney
    (1947); NaN where one side is empty.
    """
    return float(counted_auroc(scores, positive, np.ones((1, len(scores))))[0])


def counted_auroc(scores: np.ndarray, positive: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """`auroc` [B] where each text stands `counts` [B, N] times."""
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) != 0])
    sorted_counts, has = counts[:, order].astype(float), positive[order]
    up = np.add.reduceat(sorted_counts * has, starts, axis=1)
    down = np.add.reduceat(sorted_counts * ~has, starts, axis=1)
    below = down.cumsum(1) - down / 2
    with np.errstate(invalid="ignore"):
        return (up * below).sum(1) / (up.sum(1) * down.sum(1))


def auroc_interval(
    scores: Sequence[float],
    positive: Sequence[bool],
    clusters: Sequence[Hashable],
    *,
    metric: str = "auroc",
    seed: int = 0,
) -> EvalResult:
    """`auroc` with its interval; `n` counts clusters.

    Where every text is on its side (0 or 1) the bootstrap would claim certainty: Wilson's
    interval over the rarer side's texts is given instead. DataError: a side without texts.
    """
    values, has = np.asarray(scores, dtype=float), np.asarray(positive, dtype=bool)
    rare = int(min(has.sum(), (~has).sum()))
    if rare == 0:
        raise DataError(
            f"{metric}: needs texts with the label and texts without it, got {int(has.sum())} "
            f"and {int((~has).sum())}"
        )
    value = auroc(values, has)
    if value in (0.0, 1.0):
        low, high = wilson(value, rare)
    else:
        low, high = _interval(clusters, lambda counts: counted_auroc(values, has, counts), seed)
    return EvalResult(metric, value, low, high, len(set(clusters)))


def label_auroc(
    reward: RewardModel, rows: Sequence[LabelledText], label: str, *, seed: int = 0
) -> EvalResult:
    """How well any reward's scores tell texts of `label` from the others, with its interval.

    `label` is a label of the rows, whatever the reward calls its own: this is how a classifier of
    one corpus is tested on another.
    """
    decided = [(row, name) for row in rows if (name := majority(row)) is not None]
    scores = reward.score([row.prompt for row, _ in decided], [row.text for row, _ in decided])
    return auroc_interval(
        scores,
        [name == label for _, name in decided],
        [cluster_of(row) for row, _ in decided],
        metric=f"auroc {label}",
        seed=seed,
    )


def measures(
    logprobs: np.ndarray, labels: Sequence[str], rows: Sequence[LabelledText], *, seed: int = 0
) -> dict:
    """What a classifier's log-probabilities [N, L] are worth on `rows`, as plain JSON values.

    A label that all texts or none have gets no AUROC (null). DataError: fewer than two texts with
    a majority.
    """
    names = [majority(row) for row in rows]
    kept = [i for i, name in enumerate(names) if name is not None]
    if len({cluster_of(rows[i]) for i in kept}) < 2:
        raise DataError(f"{len(kept)} of {len(rows)} texts have a majority label; give 2 or more")
    clusters = [cluster_of(rows[i]) for i in kept]
    truth = np.array([labels.index(str(names[i])) for i in kept])
    chosen = logprobs[kept].argmax(1)
    right = (truth == chosen).astype(float).tolist()
    by_label = {
        label: _one_label(logprobs[kept, at], truth == at, clusters, seed)
        for at, label in enumerate(labels)
    }
    return {
        "accuracy": mean_interval(right, clusters, metric="accuracy", seed=seed).as_dict(),
        "macro_f1": f1_interval(truth, chosen, clusters, seed=seed).as_dict(),
        "auroc": by_label,
        "confusion": _confusion(truth, chosen, labels),
        "undecided": len(rows) - len(kept),
    }


def f1_interval(
    truth: np.ndarray, chosen: np.ndarray, clusters: Sequence[Hashable], *, seed: int = 0
) -> EvalResult:
    """The mean over true labels of F1 = 2 tp / (2 tp + fp + fn), with its interval.

    `truth` and `chosen` [N] number labels. A label that a resample lacks does not count in it.
    Where all texts are right, or all wrong, the interval is Wilson's over the clusters.
    """
    present = np.unique(truth)
    is_it, said = truth[:, None] == present, chosen[:, None] == present

    def macro(counts: np.ndarray) -> np.ndarray:
        hits, all_true, all_said = counts @ (is_it & said), counts @ is_it, counts @ said
        # 2 tp + fp + fn is the number of true ones plus the number said.
        found = np.where(all_true > 0, 2 * hits / np.maximum(all_true + all_said, 1e-12), np.nan)
        return np.nanmean(found, axis=-1)

    value = float(macro(np.ones((1, len(truth))))[0])
    count = len(set(clusters))
    if value in (0.0, 1.0):
        low, high = wilson(value, count)
    else:
        low, high = _interval(clusters, macro, seed)
    return EvalResult("macro_f1", value, low, high, count)


def _one_label(
    scores: np.ndarray, positive: np.ndarray, clusters: Sequence[Hashable], seed: int
) -> dict | None:
    if positive.all() or not positive.any():
        return None
    return auroc_interval(scores.tolist(), positive.tolist(), clusters, seed=seed).as_dict()


def _confusion(truth: np.ndarray, chosen: np.ndarray, labels: Sequence[str]) -> dict:
    """true label -> {said label: texts}."""
    return {
        label: {said: int(((truth == i) & (chosen == k)).sum()) for k, said in enumerate(labels)}
        for i, label in enumerate(labels)
    }


def _interval(
    clusters: Sequence[Hashable], statistic: Callable[[np.ndarray], np.ndarray], seed: int
) -> tuple[float, float]:
    """The 95 % interval of `statistic`, which takes counts of the texts [B, N] and gives [B]."""
    found = np.concatenate([statistic(counts) for counts in _resamples(clusters, seed)])
    low, high = np.nanquantile(found, [0.025, 0.975])
    return float(low), float(high)


def _resamples(clusters: Sequence[Hashable], seed: int) -> Iterator[np.ndarray]:
    """How often each text is drawn, [B, N] in pieces that fit into memory."""
    places = {name: at for at, name in enumerate(dict.fromkeys(clusters))}
    member = np.array([places[name] for name in clusters])
    rng = np.random.default_rng(seed)
    size = max(1, CHUNK // len(member))
    even = np.full(len(places), 1 / len(places))
    for start in range(0, RESAMPLES, size):
        drawn = rng.multinomial(len(places), even, size=min(size, RESAMPLES - start))
        yield drawn[:, member]
