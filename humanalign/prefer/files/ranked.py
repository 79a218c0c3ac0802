"""Rows of pairs, groups, marks and choices: plain layouts, one row a judgement."""

from __future__ import annotations

from collections.abc import Mapping

from humanalign.conversations import TURN
from humanalign.errors import DataError
from humanalign.prefer.files.cells import listed, number, present, structure, text
from humanalign.prefer.files.formats import LABELS, pairs_of_row
from humanalign.prefer.files.gathering import Gathering, plain
from humanalign.prefer.files.transcripts import split_at_words
from humanalign.prefer.ranks import Mark
from humanalign.types import Prompt, RaterKind

FIRST = ("1", "a", "left", "first", "model_a")
SECOND = ("2", "b", "right", "second", "model_b")
TIED = ("0", "tie", "both", "equal", "same", "draw")
BOTH_BAD = ("f", "both bad", "tie (bothbad)", "neither", "none")
# prompt, first answer, second answer, choice: the names that public files use.
CHOICE_COLUMNS = (
    ("prompt", "completion_a", "completion_b", "choice"),
    ("input", "output_1", "output_2", "label"),
    ("Question", "Answer1", "Answer2", "Preference"),
    ("prompt", "response_a", "response_b", "preference"),
)
WORK_COLUMNS = (("prompt", "completions"), *(names[:3] for names in CHOICE_COLUMNS))
# What stands in for the prompt where the file has none and only texts are compared or marked.
NO_PROMPT = "Judge each text by itself."


def kind_of(row: Mapping) -> RaterKind:
    """Who judged: the row's `rater_kind`, else a model where its source is "ai"."""
    kind = row.get("rater_kind")
    if kind in ("human", "model", "rule"):
        return kind
    return "model" if row.get("source") == "ai" else "human"


def read_groups(row: Mapping, into: Gathering) -> None:
    """prompt, completions, ranks."""
    completions, ranks = listed(row, "completions"), listed(row, "ranks")
    if len(completions) != len(ranks):
        raise DataError(f"has {len(completions)} completions but {len(ranks)} ranks")
    prompt = into.prompt(row["prompt"])
    models = structure(row, "models")
    ids = into.completions(prompt, completions, models if isinstance(models, list) else ())
    question = into.ask(_kind(row, len(ids)), prompt, ids, present(row, "criterion"))
    into.answer(
        question,
        present(row, "rater"),
        dict(zip(ids, ranks, strict=True)),
        kind=kind_of(row),
        seconds=number(row, "seconds"),
        instructions=text(row, "instructions"),
        note=text(row, "note"),
    )


def _kind(row: Mapping, size: int):
    return "pairwise" if row.get("kind") == "pairwise" and size == 2 else "ranking"


def read_preference(row: Mapping, into: Gathering) -> None:
    """prompt, chosen, rejected: text, transcripts or conversations; the prompt may be left out."""
    if _is_implicit_text(row):
        prompt, chosen, rejected = split_at_words(row["chosen"], row["rejected"])
        row = {**row, "prompt": prompt, "chosen": chosen, "rejected": rejected}
    for pair in pairs_of_row(row):
        prompt = into.prompt(pair.prompt)
        models = [row.get(name) or into.model for name in ("chosen_model", "rejected_model")]
        better, worse = into.completions(prompt, (pair.chosen, pair.rejected), models)
        question = into.ask("pairwise", prompt, (better, worse), present(row, "criterion"))
        into.answer(question, present(row, "rater"), {better: 1, worse: 2}, kind=kind_of(row))


def _is_implicit_text(row: Mapping) -> bool:
    chosen, rejected = row["chosen"], row["rejected"]
    if row.get("prompt") is not None or not isinstance(chosen, str):
        return False
    return isinstance(rejected, str) and TURN not in chosen


def read_unpaired(row: Mapping, into: Gathering) -> None:
    """prompt, completion, label (true = good): a thumb; text or conversations."""
    label = LABELS.get(str(row.get("label")).strip().lower())
    if label is None:
        raise DataError(f"label: expected true or false, got {row.get('label')!r}")
    _alone(row, into, "thumb", "up" if label else "down")


def read_ratings(row: Mapping, into: Gathering) -> None:
    """prompt, completion, rating; `scale` tells the best rating there is, the same in every row."""
    into.rated_to(number(row, "scale", into.scale))
    _alone(row, into, "rating", row["rating"])


def _alone(row: Mapping, into: Gathering, kind, mark: Mark) -> None:
    prompt_text, answer = row["prompt"], row["completion"]
    if isinstance(answer, list):
        pair = next(pairs_of_row({"prompt": prompt_text, "chosen": answer, "rejected": answer}))
        prompt_text, answer = pair.prompt, pair.chosen
    prompt = into.prompt(prompt_text)
    ids = into.completions(prompt, [answer])
    question = into.ask(kind, prompt, ids, present(row, "criterion"))
    into.answer(question, present(row, "rater"), {ids[0]: mark}, kind=kind_of(row))


def read_choice(row: Mapping, into: Gathering) -> None:
    """A prompt, two answers and which is better: 1, 2, 0 for a tie, F for both bad."""
    names = next(names for names in CHOICE_COLUMNS if set(names) <= row.keys())
    asked, first, second, chosen = names
    prompt = into.prompt(_spoken(row[asked], "Human: "))
    answers = [_spoken(row[each], "Assistant: ") for each in (first, second)]
    ids = into.completions(prompt, answers)
    question = into.ask("pairwise", prompt, ids, present(row, "criterion"))
    marks = choice_marks(row[chosen], first, second)
    into.answer(question, present(row, "rater"), dict(zip(ids, marks, strict=True)))


def read_matches(row: Mapping, into: Gathering) -> None:
    """left, right, winner: items are compared by their names, without a prompt."""
    prompt = into.known_prompt(Prompt(text(row, "prompt", NO_PROMPT)))
    names = [str(row["left"]), str(row["right"])]
    ids = into.completions(prompt, names, names)
    question = into.ask("pairwise", prompt, ids, present(row, "criterion"))
    marks = choice_marks(row["winner"], "left", "right")
    into.answer(question, present(row, "rater"), dict(zip(ids, marks, strict=True)))


def read_work(row: Mapping, into: Gathering) -> None:
    """A prompt and its completions, still to be judged."""
    names = next(names for names in WORK_COLUMNS if set(names) <= row.keys())
    prompt = into.prompt(row[names[0]])
    texts = [row[name] for name in names[1:]]
    if names[1] == "completions":
        texts = listed(row, "completions")
    models = structure(row, "models")
    ids = into.completions(prompt, texts, models if isinstance(models, list) else ())
    kind = row.get("kind") or ("ranking" if len(ids) > 1 else "rating")
    if kind not in ("ranking", "pairwise", "thumb", "rating"):
        raise DataError(f"kind: expected ranking, pairwise, thumb or rating, got {kind!r:.60}")
    into.ask(kind, prompt, ids, present(row, "criterion"))


def choice_marks(value: object, first: str, second: str) -> tuple[Mark, Mark]:
    """The marks of two answers; `first` and `second` are further names of the two.

    DataError: the value names neither of them, nor a tie, nor both as bad.
    """
    word = "" if value is None or isinstance(value, bool) else str(value).strip().lower()
    if word in FIRST or word == first.lower():
        return 1, 2
    if word in SECOND or word == second.lower():
        return 2, 1
    if word in TIED:
        return 1, 1
    if word in BOTH_BAD:
        return "F", "F"
    raise DataError(f"choice: expected 1, 2, 0 (a tie) or F (both bad), got {value!r:.60}")


def _spoken(value: object, speaker: str) -> str:
    """The words without the speaker's name in front."""
    return plain("answer", value).removeprefix(speaker)
