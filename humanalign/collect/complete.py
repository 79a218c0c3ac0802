"""Several completions for each prompt, from one model, or one each from two to be compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from humanalign.models import Policy
from humanalign.run import Run
from humanalign.sampling import Sampling, complete
from humanalign.types import Comparison, Completion, FinishReason, Prompt, Sampler

WHOLE = Sampling()  # temperature 1, the whole vocabulary, 64 tokens


@dataclass(frozen=True)
class Collection:
    """What was sampled: the prompts and their completions, ready for a feedback store."""

    prompts: tuple[Prompt, ...]
    completions: tuple[Completion, ...]

    def comparisons(self, criterion: str = "helpful") -> list[Comparison]:
        """One question per prompt over its different texts; a prompt with one text asks nothing."""
        asked = []
        for texts in self.by_prompt().values():
            different = list({c.text: c for c in texts}.values())[:9]
            if len(different) > 1:
                ids = tuple(c.id for c in different)
                asked.append(Comparison(different[0].prompt_id, ids, criterion))
        return asked

    def by_prompt(self) -> dict[str, list[Completion]]:
        """prompt id -> its completions, in the order of the prompts."""
        found: dict[str, list[Completion]] = {p.id: [] for p in self.prompts}
        for completion in self.completions:
            found[completion.prompt_id].append(completion)
        return found

    def rows(self) -> Iterator[dict]:
        """One readable row per prompt, for samples.jsonl."""
        texts = self.by_prompt()
        for p in self.prompts:
            answers = [c.text for c in texts[p.id]]
            yield {"prompt": p.text, "reference": p.reference, "completions": answers}

    def summary(self) -> dict:
        words = [len(c.text.split()) for c in self.completions]
        stopped = sum(c.finish_reason == "stop" for c in self.completions)
        return {
            "prompts": len(self.prompts),
            "completions": len(self.completions),
            "mean_words": sum(words) / max(1, len(words)),
            "finished_share": stopped / max(1, len(words)),
        }


def collect(
    policy: Policy | Mapping[str, Policy],
    prompts: Sequence[Prompt],
    *,
    samples: int = 4,
    sampling: Sampling = WHOLE,
    batch_size: int = 64,
    seed: int = 0,
    run: Run | None = None,
    keep: Callable[[Collection], Mapping | None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Collection:
    """Sample `samples` completions per prompt; with several named policies, `samples` from each.

    Equal texts by one sampler are kept once. `keep` puts the collection where it belongs (a
    store), and what it returns joins the run's summary; only then the run, which everything is
    written into as well, counts as finished.
    """
    policies = policy if isinstance(policy, Mapping) else {policy.name: policy}
    completions: dict[str, Completion] = {}
    for name, one in policies.items():
        texts = [one.render(p) for p in prompts]
        answers = complete(
            one,
            texts,
            sampling,
            seed=seed,
            samples=samples,
            batch_size=batch_size,
            progress=progress,
        )
        sampler = Sampler(name, run.ref.id if run else "", sampling.temperature, seed)
        for p, several in zip(prompts, answers, strict=True):
            for a in several:
                reason: FinishReason = "stop" if a.finished else "length"
                c = Completion(p.id, a.text, sampler, reason)
                completions.setdefault(c.id, c)
    collection = Collection(tuple(prompts), tuple(completions.values()))
    more = keep(collection) if keep else None
    if run:
        _keep(run, collection, more or {})
    return collection


def _keep(run: Run, collection: Collection, more: Mapping) -> None:
    run.record("prompts", ({"id": p.id, **_prompt_row(p)} for p in collection.prompts))
    run.record("completions", ({"id": c.id, **asdict(c)} for c in collection.completions))
    run.samples(collection.rows())
    run.finish({**collection.summary(), **more})


def _prompt_row(p: Prompt) -> dict:
    return {
        "prompt": p.text,
        "messages": [{"role": r, "content": c} for r, c in p.messages] or None,
        "reference": p.reference,
        "split": p.split,
        "source": p.source,
        **p.fields,
    }
