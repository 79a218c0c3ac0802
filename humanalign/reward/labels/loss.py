"""What a classifier learns from one text, and the loss of getting it wrong.

Letters: B texts, L labels. The loss is the cross-entropy between the votes' shares and the model's
probabilities: a text on which annotators were divided teaches that they were (Peterson et al.
2019, arXiv 1908.07086).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import log_softmax

from humanalign.reward.batches import cut
from humanalign.reward.labels.rows import Rows, label_shares
from humanalign.reward.reading import Encoded, Reader
from humanalign.train import Loss


@dataclass(frozen=True)
class Lesson:
    """A text as the model reads it, the shares [L] of its labels and its weight in the loss."""

    row: Encoded
    shares: tuple[float, ...]
    weight: float


def lessons_of(
    rows: Rows,
    labels: Sequence[str],
    reader: Reader,
    *,
    with_prompts: bool,
    weights: Sequence[float] | None = None,
) -> list[Lesson]:
    """The rows as lessons; `weights` [L] are those of the labels, 1 each where there are none.

    A text's weight is its own times that of its labels, averaged by its votes.
    """
    asked = [row.prompt if with_prompts else None for row in rows]
    encoded = reader.encode(asked, [row.text for row in rows])
    by_label = weights or [1.0] * len(labels)
    lessons = []
    for read, row in zip(encoded, rows, strict=True):
        shares = tuple(row.target.get(label, 0.0) for label in labels)
        mean = sum(share * weight for share, weight in zip(shares, by_label, strict=True))
        lessons.append(Lesson(read, shares, row.weight * mean))
    return lessons


def label_weights(rows: Rows, labels: Sequence[str]) -> list[float]:
    """1 / (L * the label's share of all votes): every label then counts as much as any other."""
    shares = label_shares(rows, labels)
    return [1 / (len(labels) * shares[label]) for label in labels]


def label_loss(logits: Tensor, lessons: Sequence[Lesson], *, smoothing: float = 0.0) -> Loss:
    """-sum_l share_l log p_l of logits [B, L], weighted, as a sum over texts and its count.

    Smoothing e makes the shares (1 - e) share + e / L (Szegedy et al. 2016, arXiv 1512.00567).
    `agreement` is the share of the votes that the likeliest label has.
    """
    shares = logits.new_tensor([lesson.shares for lesson in lessons])
    weights = logits.new_tensor([lesson.weight for lesson in lessons])
    smooth = (1 - smoothing) * shares + smoothing / shares.shape[1]
    losses = -(smooth * log_softmax(logits, -1)).sum(1)
    agreement = shares.gather(1, logits.detach().argmax(1, keepdim=True)).sum()
    metrics = {"agreement": float(agreement)}
    return Loss((weights * losses).sum(), float(weights.sum()), metrics, rows=len(lessons))


def pieces(lessons: Sequence[Lesson], most: int) -> Iterable[Sequence[Lesson]]:
    """A batch cut into micro-batches of texts of like length, at most `most` tokens each."""
    groups = cut([[len(lesson.row.ids)] for lesson in lessons], most)
    return ([lessons[i] for i in numbers] for numbers in groups)
