"""Labelled texts before a fit: what is learned from, what is held out, what each label weighs.

Parts are chosen by a hash of the prompt, or of the text where it stands alone, so that they are
the same in any order of the rows and a text's repeats are all on one side.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from humanalign.errors import DataError
from humanalign.reward.labels.measures import cluster_of
from humanalign.reward.scoring import check_text
from humanalign.types import LabelledText

# One prompt or text in five is held out where no evaluation rows are given.
HELD_OUT = 0.2
Rows = Sequence[LabelledText]


def split_texts(
    rows: Rows, eval_rows: Rows | None = None
) -> tuple[list[LabelledText], list[LabelledText]]:
    """Training and held-out texts, sorted; none of the same prompt or words in both.

    DataError: a weight or shares that are none, the same text on both sides, fewer than two labels
    to learn, a label that is only in the evaluation rows, or fewer than two texts to measure on.
    """
    for row in [*rows, *(eval_rows or ())]:
        _check(row)
    if eval_rows is None:
        _check_divisible(rows)
        eval_rows, rows = part_of(rows, HELD_OUT, salt="test")
    both = {cluster_of(row) for row in rows} & {cluster_of(row) for row in eval_rows}
    if both:
        raise DataError(
            f"texts: {len(both)} are in both training and evaluation rows, one is "
            f"{min(both)[:40]!r}; leave them out of one of the two"
        )
    learned, seen = labels_of(rows), labels_of(eval_rows)
    if len(learned) < 2:
        raise DataError(
            f"texts: {len(rows)} to learn from have the labels {', '.join(learned) or 'none'}; "
            "a classifier needs two or more"
        )
    if not set(seen) <= set(learned):
        raise DataError(
            f"texts: the label '{min(set(seen) - set(learned))}' is in no training row; "
            f"the labels there are {', '.join(learned)}"
        )
    if len({cluster_of(row) for row in eval_rows}) < 2:
        raise DataError(f"texts: {len(eval_rows)} to measure on; two different ones are needed")
    return sorted(rows, key=_order), sorted(eval_rows, key=_order)


def part_of(
    rows: Rows, share: float, *, salt: str
) -> tuple[list[LabelledText], list[LabelledText]]:
    """The rows of about `share` of the prompts or texts, at least one, and the rest."""
    names = sorted({cluster_of(row) for row in rows}, key=lambda name: _hash(f"{salt}/{name}"))
    taken = set(names[: max(1, round(share * len(names)))])
    chosen = [row for row in rows if cluster_of(row) in taken]
    return chosen, [row for row in rows if cluster_of(row) not in taken]


def label_shares(rows: Rows, labels: Sequence[str]) -> dict[str, float]:
    """How the weighted votes of all rows are shared among `labels`."""
    total = sum(row.weight for row in rows)
    return {
        label: sum(row.weight * row.target.get(label, 0.0) for row in rows) / total
        for label in labels
    }


def labels_of(rows: Rows) -> list[str]:
    """Every label of `rows`, in alphabetical order: the order of a fitted model's outputs."""
    return sorted({label for row in rows for label, share in row.target.items() if share > 0})


def _check_divisible(rows: Rows) -> None:
    if len({cluster_of(row) for row in rows}) < 2:
        same = "prompt" if rows and rows[0].prompt else "words"
        raise DataError(
            f"texts: all {len(rows)} have the same {same}, so none can be held out; give eval rows"
        )


def _check(row: LabelledText) -> None:
    for text in (row.prompt, row.text):
        check_text(text, f"texts: {row.id or 'a row'}")
    if not row.weight > 0:
        raise DataError(
            f"texts: the weight of a text must be above 0, got {row.weight} at "
            f"{row.text[:40]!r}; leave the text out instead"
        )
    shares = list(row.target.values())
    if min(shares, default=-1.0) < 0 or abs(sum(shares) - 1) > 1e-6:
        raise DataError(
            f"texts: the shares of a text's labels must add up to 1, got {dict(row.target)} at "
            f"{row.text[:40]!r}"
        )


def _order(row: LabelledText) -> tuple[str, ...]:
    # Every field that may differ: the order of the rows in a file must not reach the sums.
    return row.prompt, row.text, str(sorted(row.target.items())), str(row.weight)


def _hash(name: str) -> str:
    return sha256(name.encode()).hexdigest()
