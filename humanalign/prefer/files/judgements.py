"""What a file of judgements says: questions, answers with their marks, and who gave them.

| kind | marks by completion id |
|-|-|
| ranking, pairwise | 1 (best), 2, 2, 4 ... in competition ranks, or "F" (unusable) |
| thumb | "up" or "down" |
| rating | 1 to the scale, higher is better |
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations
from typing import Literal

from humanalign.errors import DataError
from humanalign.prefer.marks import KINDS, LETTERS, RANKED, Kind
from humanalign.prefer.pairs import Texts
from humanalign.prefer.ranks import Mark, competition_marks, is_whole, parse_marks
from humanalign.prefer.statistics.consensus import Consensus
from humanalign.types import (
    Comparison,
    Completion,
    Prompt,
    Ranking,
    Rater,
    RaterKind,
    content_id,
)

__all__ = [
    "KINDS",
    "MOST",
    "RANKED",
    "Judgement",
    "Judgements",
    "Question",
    "QuestionKind",
    "Record",
    "asked_as",
    "check_marks",
    "consensus_records",
    "latest",
    "records_of",
]

QuestionKind = Kind
MOST = len(LETTERS)


@dataclass(frozen=True)
class Question:
    """What a rater is asked about 1 to 9 completions of one prompt (rankings: 2 to 9).

    `gold` holds the marks that a careful rater gives, by completion id. ValueError: another number
    of completions, or one of them twice.
    """

    kind: QuestionKind
    prompt_id: str
    completion_ids: tuple[str, ...]
    criterion: str = "helpful"
    gold: Mapping[str, Mark] | None = field(default=None, hash=False)

    def __post_init__(self) -> None:
        least = 2 if self.kind in RANKED else 1
        if not least <= len(set(self.completion_ids)) == len(self.completion_ids) <= MOST:
            raise ValueError(
                f"a {self.kind} holds {least} to {MOST} different completions, "
                f"got {list(self.completion_ids)}"
            )

    @cached_property
    def id(self) -> str:
        """The comparison's id; a lone completion's is its own content hash, as in the store."""
        if len(self.completion_ids) > 1:
            return self.comparison().id
        if self.kind == "thumb" and not self.criterion:
            return hashlib.sha256(f"thumb {''.join(self.completion_ids)}".encode()).hexdigest()[:16]
        return content_id("item", self.kind, list(self.completion_ids), self.criterion)

    def comparison(self) -> Comparison:
        """The comparison of its completions. ValueError: there is only one."""
        return Comparison(self.prompt_id, self.completion_ids, self.criterion)


@dataclass(frozen=True)
class Judgement:
    """One rater's answer to one question, with a mark for each completion.

    `at` is in seconds since 1970, None where the file does not say; a later `revision` of the
    same rater's answer replaces the earlier one.
    """

    question_id: str
    rater_id: str
    marks: Mapping[str, Mark] = field(hash=False)
    seconds: float = 0.0
    instructions: str = ""
    note: str = ""
    at: float | None = None
    revision: int = 1

    def ranking(self) -> Ranking:
        """The weak order that the marks mean. DataError: they are thumbs or ratings."""
        tiers, rejected = parse_marks(self.marks, list(self.marks))
        return Ranking(
            comparison_id=self.question_id,
            rater_id=self.rater_id,
            tiers=tuple(tuple(sorted(tier)) for tier in tiers),
            rejected=tuple(sorted(rejected)),
            seconds=self.seconds,
            instructions=self.instructions,
        )


@dataclass(frozen=True)
class Judgements:
    """Everything a file said; `judgements` is empty for work that is still to be judged.

    `scale` is the best rating there is. `left_out` says in sentences what the file holds and
    this cannot.
    """

    name: str
    layout: str
    prompts: tuple[Prompt, ...]
    completions: tuple[Completion, ...]
    questions: tuple[Question, ...]
    judgements: tuple[Judgement, ...]
    raters: tuple[Rater, ...]
    scale: int = 3
    left_out: tuple[str, ...] = ()

    @property
    def comparisons(self) -> tuple[tuple[Comparison, QuestionKind], ...]:
        """The questions of two or more completions, each with its kind."""
        several = (each for each in self.questions if len(each.completion_ids) > 1)
        return tuple((each.comparison(), each.kind) for each in several)

    def rankings(self) -> list[Ranking]:
        """The latest revision of each answer that ranks, in the order first given."""
        ranked = {each.id for each in self.questions if each.kind in RANKED}
        return [each.ranking() for each in latest(self.judgements) if each.question_id in ranked]

    def texts(self) -> Texts:
        """The words behind the ids of the rankings."""
        prompts = {each.id: each for each in self.prompts}
        return Texts(
            prompts={each.id: prompts[each.prompt_id] for each in self.questions},
            answers={each.id: each.text for each in self.completions},
        )


@dataclass(frozen=True)
class Record:
    """One answer with its words: what an export is made of.

    `completions` are in the order of the question. `weight` is the rater's in the consensus;
    `margins` by (better id, worse id) are the consensus's own.
    """

    question: Question
    prompt: Prompt
    completions: tuple[Completion, ...]
    judgement: Judgement
    rater_kind: RaterKind = "human"
    weight: float = 1.0
    margins: Mapping[tuple[str, str], float] = field(default_factory=dict, hash=False)
    scale: int = 3

    @property
    def source(self) -> Literal["human", "ai"]:
        return "human" if self.rater_kind == "human" else "ai"

    def ranking(self) -> Ranking:
        """The order of its marks: ranks as they are, ratings and thumbs best first."""
        if self.question.kind in RANKED:
            return self.judgement.ranking()
        marks = self.judgement.marks
        height = {c: mark == "up" if isinstance(mark, str) else mark for c, mark in marks.items()}
        levels = sorted(set(height.values()), reverse=True)
        tiers = tuple(tuple(c for c in height if height[c] == level) for level in levels)
        return Ranking(self.question.id, self.judgement.rater_id, tiers)


def latest(judgements: Iterable[Judgement]) -> list[Judgement]:
    """The highest revision of each rater's answer to each question, in the order first given."""
    newest: dict[tuple[str, str], Judgement] = {}
    for each in judgements:
        key = (each.question_id, each.rater_id)
        held = newest.get(key)
        if held is None or held.revision <= each.revision:
            newest[key] = each
    return list(newest.values())


def asked_as(work: Judgements, kind: QuestionKind) -> Judgements:
    """Work that nobody has judged yet, put as questions of another kind.

    A ranking or rating takes the completions of a prompt together, a pairwise choice each two of
    them, a thumb each by itself. Questions of a single completion are no ranking and stay as they
    are; files with judgements are returned unchanged.
    """
    if work.judgements:
        return work
    asked: dict[str, Question] = {}
    for question in work.questions:
        ids = question.completion_ids
        size = {"pairwise": 2, "thumb": 1}.get(kind, len(ids))
        if kind in RANKED and len(ids) < 2:
            asked[question.id] = question
            continue
        for part in combinations(ids, size):
            new = Question(kind, question.prompt_id, part, question.criterion)
            asked[new.id] = new
    return replace(work, questions=tuple(asked.values()))


def records_of(found: Judgements, weights: Mapping[str, float] | None = None) -> Iterator[Record]:
    """Every judgement with its words, all answers to one question together.

    `weights` by rater id; raters without one weigh 1.
    """
    prompts = {each.id: each for each in found.prompts}
    completions = {each.id: each for each in found.completions}
    kinds: dict[str, RaterKind] = {each.id: each.kind for each in found.raters}
    given: dict[str, list[Judgement]] = {}
    for judgement in found.judgements:
        given.setdefault(judgement.question_id, []).append(judgement)
    for question in found.questions:
        for judgement in given.get(question.id, ()):
            yield Record(
                question=question,
                prompt=prompts[question.prompt_id],
                completions=tuple(completions[each] for each in question.completion_ids),
                judgement=judgement,
                rater_kind=kinds[judgement.rater_id],
                weight=(weights or {}).get(judgement.rater_id, 1.0),
                scale=found.scale,
            )


def consensus_records(
    agreed: Iterable[Consensus],
    questions: Mapping[str, Question],
    prompts: Mapping[str, Prompt],
    completions: Mapping[str, Completion],
    *,
    raters: Mapping[str, Rater] | None = None,
) -> Iterator[Record]:
    """Each consensus with its words; the mappings go by id, `raters` are people unless named.

    What rests on models and rules alone has source "ai".
    """
    known = raters or {}
    for each in agreed:
        ranking = each.ranking
        question = questions[ranking.comparison_id]
        people = [r for r in each.raters if r not in known or known[r].kind == "human"]
        yield Record(
            question=question,
            prompt=prompts[question.prompt_id],
            completions=tuple(completions[c] for c in question.completion_ids),
            judgement=Judgement(
                question_id=question.id,
                rater_id=ranking.rater_id,
                marks=competition_marks(ranking.tiers, ranking.rejected),
                instructions=ranking.instructions,
            ),
            rater_kind="human" if people else "model",
            margins=each.margins,
        )


def check_marks(
    kind: QuestionKind, marks: Mapping[str, Mark], ids: tuple[str, ...], scale: int
) -> dict[str, Mark]:
    """The marks in their one spelling, in the order of `ids`.

    DataError: a completion without a mark, or a mark that is none.
    """
    if kind in RANKED:
        tiers, rejected = parse_marks(marks, ids)
        found = competition_marks(tiers, rejected)
        return {each: found[each] for each in ids}
    return {each: _mark(kind, marks.get(each), scale) for each in ids}


def _mark(kind: QuestionKind, mark: Mark | None, scale: int) -> Mark:
    text = "" if isinstance(mark, bool) or mark is None else str(mark).strip().lower()
    if kind == "thumb":
        if text not in ("up", "down"):
            raise DataError(f"expected a thumb, up or down, got {mark!r:.60}")
        return text
    if not (is_whole(text) and 1 <= int(text) <= scale):
        raise DataError(f"expected a rating from 1 to {scale}, got {mark!r:.60}")
    return int(text)
