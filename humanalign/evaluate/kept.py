"""What a run keeps of a model as soon as it is complete: an interrupted evaluation goes on there.

Kept rows are taken again only for the very same work: `terms` says what it depends on, the
model's weights, tokenizer and end tokens among it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from hashlib import sha256

import torch
from transformers import PreTrainedTokenizerBase

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
    good = bool(found) and found[0] == {"terms": terms}
    rows = found[1:] if good else make()
    # Also where the file is there: a run that starts anew knows nothing of it.
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


def model_id(policy: Policy) -> str | None:
    """All that a model's answers depend on; None for one that decodes through a hook.

    The bytes of all weights and buffers, both configurations, the end tokens and the tokenizer. No
    sums: a sum of floats depends on how many threads add.
    """
    if policy.logits_hook is not None:
        return None
    adapters = policy.adapter.peft_config if policy.has_adapter else {}
    settings = [policy.hf.config.to_dict(), *(each.to_dict() for each in adapters.values())]
    return content_id(
        policy.name,
        _weights(policy),
        [json.dumps(each, sort_keys=True, default=_plain) for each in settings],
        sorted(policy.eos_ids),
        _words(policy.tokenizer),
    )


def _weights(policy: Policy) -> str:
    digest = sha256()
    for name, tensor in [*policy.model.named_parameters(), *policy.model.named_buffers()]:
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy())
    return digest.hexdigest()


def _words(tokenizer: PreTrainedTokenizerBase) -> list[object]:
    """What makes a text into numbers; how the last caller padded and cut is none of it."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    rules = tokenizer.get_vocab() if backend is None else json.loads(backend.to_str())
    told = {name: rule for name, rule in rules.items() if name not in {"truncation", "padding"}}
    return [told, tokenizer.chat_template]


def _plain(value: object) -> object:
    """A set in an order that every process agrees on, else text."""
    return sorted(map(str, value)) if isinstance(value, set | frozenset) else str(value)
