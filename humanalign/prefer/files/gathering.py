"""Gathers what the rows of a file say, each prompt, completion and question once."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from humanalign.errors import DataError
from humanalign.prefer.files.judgements import (
    MOST,
    Judgement,
    Judgements,
    Question,
    QuestionKind,
    check_marks,
)
from humanalign.prefer.ranks import Mark
from humanalign.types import Completion, Prompt, Rater, RaterKind, Sampler

LONGEST_RATER = 128


class Gathering:
    """The judgements of one file while its rows are read.

    `model` names the sampler of completions where the file says none; `criterion` and `scale`
    are those of the layout unless a row tells others.
    """

    def __init__(self, model: str, criterion: str, scale: int) -> None:
        self.model = model
        self.criterion = criterion
        self.scale = scale
        self._prompts: dict[str, Prompt] = {}
        self._completions: dict[str, Completion] = {}
        self._questions: dict[str, Question] = {}
        self._raters: dict[str, Rater] = {}
        self._judgements: list[Judgement] = []
        self._given: Counter[tuple[str, str | None]] = Counter()
        self._left_out: Counter[str] = Counter()
        self._rated = False

    def rated_to(self, scale: float) -> None:
        """The best rating of this row's scale. DataError: earlier rows told another."""
        if self._rated and scale != self.scale:
            raise DataError(
                f"scale: {scale:g}, but earlier rows rate from 1 to {self.scale}; put each scale "
                "into a file of its own"
            )
        self.scale, self._rated = int(scale), True

    def prompt(self, text: object, messages: Sequence[tuple[str, str]] = ()) -> Prompt:
        """A prompt of these words. DataError: no text, or text that no store can hold."""
        return self.known_prompt(Prompt(plain("prompt", text), tuple(messages)))

    def known_prompt(self, prompt: Prompt) -> Prompt:
        """The prompt, or the one of the same words that is there. DataError: as `prompt`."""
        for role, content in prompt.messages:
            plain("messages", role)
            plain("messages", content)
        for each in (prompt.source, *prompt.fields, *prompt.fields.values()):
            plain("source and fields", each)
        return self._prompts.setdefault(prompt.id, prompt)

    def completions(
        self, prompt: Prompt, texts: Sequence[object], models: Sequence[object] = ()
    ) -> tuple[str, ...]:
        """The ids of completions of these words; the same words twice stay two completions.

        `models` names who wrote each. DataError: a completion that is no text.
        """
        seen: Counter[tuple[str, str]] = Counter()
        ids = []
        for number, text in enumerate(texts):
            model = str(models[number]) if number < len(models) else self.model
            words = plain("completion", text)
            sampler = Sampler(model, seed=seen[words, model])
            seen[words, model] += 1
            ids.append(self.known_completion(Completion(prompt.id, words, sampler)))
        return tuple(ids)

    def known_completion(self, completion: Completion) -> str:
        """Keep a completion, once; return its id. DataError: a sampler that no store can hold."""
        by = completion.sampler
        plain("model", by.model)
        plain("run", by.run)
        if not (abs(by.seed) < 2**63 and math.isfinite(by.temperature)):
            raise DataError(f"seed or temperature: out of range, got {by.seed}, {by.temperature}")
        return self._completions.setdefault(completion.id, completion).id

    def ask(
        self,
        kind: QuestionKind,
        prompt: Prompt,
        completion_ids: tuple[str, ...],
        criterion: object = None,
    ) -> Question:
        """A question, once. DataError: too few or too many completions."""
        least = 2 if kind in ("ranking", "pairwise") else 1
        if not least <= len(completion_ids) <= MOST:
            raise DataError(
                f"has {len(completion_ids)} completions; a {kind} takes {least} to {MOST}"
            )
        by = plain("criterion", str(criterion) if criterion else self.criterion)
        question = Question(kind, prompt.id, completion_ids, by)
        return self._questions.setdefault(question.id, question)

    def answer(
        self,
        question: Question,
        rater: object,
        marks: Mapping[str, Mark],
        *,
        kind: RaterKind = "human",
        seconds: float = 0.0,
        instructions: str = "",
        note: str = "",
        at: float | None = None,
        revision: int | None = None,
    ) -> None:
        """One rater's marks; a rater who is not named is "vote-1", "vote-2", ... by question.

        An answer by the same rater again is the next revision. DataError: what `check_marks` says.
        """
        named = None if rater in (None, "") else plain("rater", str(rater))
        if named and len(named) > LONGEST_RATER:
            raise DataError(f"rater: expected at most {LONGEST_RATER} characters, got {len(named)}")
        self._given[question.id, named] += 1
        count = self._given[question.id, named]
        rater_id = named or f"vote-{count}"
        self._raters.setdefault(rater_id, Rater(rater_id, kind))
        self._judgements.append(
            Judgement(
                question_id=question.id,
                rater_id=rater_id,
                marks=check_marks(question.kind, marks, question.completion_ids, self.scale),
                seconds=seconds,
                instructions=plain("instructions", instructions),
                note=plain("note", note),
                at=at,
                revision=revision or (count if named else 1),
            )
        )

    def leave_out(self, what: str) -> None:
        """Count something that cannot be kept; `what` completes "12 x ..."."""
        self._left_out[what] += 1

    def everything(self, name: str, layout: str) -> Judgements:
        """What was gathered."""
        return Judgements(
            name=name,
            layout=layout,
            prompts=tuple(self._prompts.values()),
            completions=tuple(self._completions.values()),
            questions=tuple(self._questions.values()),
            judgements=tuple(self._judgements),
            raters=tuple(self._raters.values()),
            scale=self.scale,
            left_out=tuple(f"Left out: {what} ({n})." for what, n in self._left_out.items()),
        )


def plain(name: str, value: object) -> str:
    """`value` as text that every store can hold. DataError: it is no text, or holds NUL."""
    if not isinstance(value, str):
        raise DataError(f"{name}: expected text, got {value!r:.60}")
    if "\x00" in value:
        raise DataError(f"{name}: the text holds a NUL character; remove it")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise DataError(f"{name}: the text holds half a character (a lone surrogate)") from None
    return value
