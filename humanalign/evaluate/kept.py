"""What a run keeps of a model as soon as it is complete: an interrupted evaluation goes on there.

Kept rows are taken again only for the very same work: `terms` says what it depends on, the
model's weights among it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from humanalign.errors import DataError
from humanalign.evaluate.progress import Progress
from humanalign.models import Policy
from humanalign.rows import read_rows
from humanalign.run import Run
from humanalign.sampling import Answer, Sampling, complete
from humanalign.types import content_id


def kept(run: Run | None, name: str, terms: str | None, make: Callable[[], list[dict]]) -> list:
    """The rows that `run` holds as data/`name`.jsonl for `terms`; else they are made and kept."""
    if run is None or terms is None:
        return make()
    path = run.path / "data" / f"{name}.jsonl"
    try:
        found = read_rows(path) if path.is_file() else []
    except DataError:  # damaged: made again
        found = []
    if found and found[0] == {"terms": terms}:
        return found[1:]
    rows = make()
    run.record(name, [{"terms": terms}, *rows])
    return rows


def kept_answers(
    run: Run | None,
    side: str,
    policy: Policy,
    prompts: Sequence[str],
    sampling: Sampling,
    *,
    samples: int,
    seed: int,
    batch: int,
    progress: Progress | None,
) -> list[list[Answer]]:
    """`samples` answers to each of the rendered prompts: [N][K]."""

    def make() -> list[dict]:
        said = complete(
            policy,
            prompts,
            sampling,
            seed=seed,
            samples=samples,
            batch_size=batch,
            progress=progress,
        )
        return [{"answers": [[each.text, each.finished] for each in row]} for row in said]

    terms = model_id(policy) if run is not None else None
    if terms is not None:
        terms = content_id(terms, list(prompts), sampling.__dict__, samples, seed, batch)
    rows = kept(run, f"answers.{side}", terms, make)
    return [[Answer(text, finished) for text, finished in row["answers"]] for row in rows]


@torch.no_grad()
def model_id(policy: Policy) -> str | None:
    """The name and the sum of each weight; None for a model that decodes through a hook."""
    if policy.logits_hook is not None:
        return None
    sums = [float(each.sum(dtype=torch.float64)) for each in policy.model.parameters()]
    return content_id(policy.name, sums)
