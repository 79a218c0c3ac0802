"""Who decides a win rate besides scorers: a judge model, and people through the feedback store."""

from __future__ import annotations

from collections.abc import Sequence

from humanalign.align.methods import load_policy
from humanalign.errors import DataError
from humanalign.evaluate.winrate import Duels, Judge, ranking_duels
from humanalign.prefer.constitution import Principle
from humanalign.prefer.judge import verdicts
from humanalign.prefer.pairs import Texts
from humanalign.types import Comparison, Prompt
from humanalign.verbs.labelling import existing


def judge_of(name: str, principles: Sequence[Principle]) -> Judge:
    """A model as a judge: for each pair the mean over the principles, in either order."""
    policy = load_policy(name)

    def judge(
        prompts: Sequence[Prompt], before: Sequence[str], after: Sequence[str]
    ) -> list[tuple[float, float]]:
        asked = [
            Comparison(prompt.id, (f"after {i}", f"before {i}")) for i, prompt in enumerate(prompts)
        ]
        texts = Texts(
            prompts={each.id: prompt for each, prompt in zip(asked, prompts, strict=True)},
            answers={
                **{f"after {i}": text for i, text in enumerate(after)},
                **{f"before {i}": text for i, text in enumerate(before)},
            },
        )
        seen: dict[str, list[tuple[float, float]]] = {each.id: [] for each in asked}
        for verdict in verdicts(policy, asked, texts, principles):
            seen[verdict.comparison_id].append((verdict.p_first, verdict.p_second))
        return [_mean(seen[each.id]) for each in asked]

    return judge


def people_of(store: str, before: str, after: str) -> Duels:
    """The duels between two models that the people of a store decided; judge models do not count.

    The models are known by the names under which `collect` asked them. DataError: nobody has
    compared answers of the two.
    """
    source = existing(store)
    raters = source.raters()
    ranked = [each for each in source.rankings() if raters[each.rater_id].kind != "model"]
    written: dict[str, set[str]] = {}
    for completion in source.completions().values():
        written.setdefault(completion.sampler.model, set()).add(completion.id)
    duels = ranking_duels(
        ranked,
        before=written.get(before, set()),
        after=written.get(after, set()),
        prompt_of={each.id: each.prompt_id for each in source.comparisons()},
    )
    if len(set(duels.prompts)) < 2:
        known = ", ".join(sorted(written)) or "nobody"
        raise DataError(
            f"store: {store} holds rankings of {len(set(duels.prompts))} prompts that compare "
            f"answers of {after} with answers of {before}, and an interval needs 2; it has answers "
            f"of {known}: ask by `humanalign collect models=[{before},{after}]`"
        )
    return duels


def _mean(chances: Sequence[tuple[float, float]]) -> tuple[float, float]:
    first, second = zip(*chances, strict=True)
    return sum(first) / len(first), sum(second) / len(second)
