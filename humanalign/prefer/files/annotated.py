"""Public data with several annotators: choices by worker, message trees, votes, coded columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from humanalign.conversations import as_transcript
from humanalign.errors import DataError
from humanalign.prefer.files.cells import count, listed, present, text
from humanalign.prefer.files.gathering import Gathering
from humanalign.prefer.files.judgements import MOST
from humanalign.prefer.files.ranked import NO_PROMPT, choice_marks
from humanalign.types import Prompt

# Davidson et al. 2017 (arXiv:1703.04009): how many annotators chose each class, worst first.
CLASSES = ("hate_speech", "offensive_language", "neither")
ANNOTATOR = re.compile(r"annotator_?(\d+)", re.IGNORECASE)
# Curry et al. 2021 (arXiv:2109.09483): `Annotator3_is_abuse.-2` is 1 where annotator 3 chose -2.
CODE = re.compile(r"(?P<rater>.+?\d+)_(?P<name>.+)\.(?P<code>-?\d+)")
LONGEST_COLUMN = 200
# More people than ever voted on one text.
MOST_VOTES = 10_000
ROLES = {"prompter": "user", "assistant": "assistant"}


def read_annotators(row: Mapping, into: Gathering) -> None:
    """instruction, input, response1, response2, and a column for each annotator: 0 tie, 1, 2."""
    asked = "prompt" if "prompt" in row else "instruction"
    prompt = into.prompt("\n\n".join(filter(None, (text(row, asked), text(row, "input")))))
    # Wang et al. 2023 (arXiv:2306.05087) name the two models in one column.
    models = text(row, "cmp_key").split("_")
    ids = into.completions(
        prompt, (row["response1"], row["response2"]), models if len(models) == 2 else ()
    )
    question = into.ask("pairwise", prompt, ids, present(row, "criterion"))
    for name, value in row.items():
        if ANNOTATOR.fullmatch(name) and value not in (None, ""):
            marks = choice_marks(value, "response1", "response2")
            into.answer(question, name, dict(zip(ids, marks, strict=True)))


def read_worker(row: Mapping, into: Gathering) -> None:
    """info, summaries, choice (the better one's number from 0), worker."""
    info, summaries = row["info"], listed(row, "summaries")
    if not isinstance(info, Mapping) or not all(isinstance(s, Mapping) for s in summaries):
        raise DataError("info must be an object and summaries a list of objects")
    # Stiennon et al. 2020 (arXiv:2009.01325): posts, or news in the column `article`.
    parts = [(f"{name.upper()}: ", text(info, name)) for name in ("title", "post", "article")]
    prompt = into.prompt(
        "\n\n".join(start + words for start, words in parts if words) + "\n\nTL;DR:"
    )
    ids = into.completions(
        prompt, [each.get("text") for each in summaries], [text(s, "policy") for s in summaries]
    )
    chosen = count(row, "choice")
    if chosen >= len(ids):
        raise DataError(f"choice: expected a number below {len(ids)}, got {row['choice']!r}")
    question = into.ask("pairwise" if len(ids) == 2 else "ranking", prompt, ids)
    extra = row.get("extra")
    sure = extra.get("confidence") if isinstance(extra, Mapping) else None
    into.answer(
        question,
        row["worker"],
        {each: 1 if number == chosen else 2 for number, each in enumerate(ids)},
        note="" if sure is None else f"confidence {sure}",
    )


def read_tree(row: Mapping, into: Gathering) -> None:
    """A message tree (Köpf et al. 2023, arXiv:2304.07327): each set of ranked replies is a group.

    The rank of a reply is what the annotators agreed on, so there is one answer a group.
    """
    for path, replies in _branches(row["prompt"], ()):
        ranked = [each for each in replies if each.get("rank") is not None]
        if len(ranked) < 2:
            continue
        for _ in range(len(replies) - len(ranked)):
            into.leave_out("replies without a rank beside ranked ones")
        if len(ranked) > MOST:
            into.leave_out(f"groups of more than {MOST} ranked replies")
            continue
        prompt = into.prompt(path[0][1] if len(path) == 1 else as_transcript(path))
        gap = "" if len(path) == 1 else " "
        ids = into.completions(
            prompt,
            [gap + str(each.get("text")) for each in ranked],
            [each.get("model_name") or into.model for each in ranked],
        )
        order = sorted({each["rank"] for each in ranked})
        marks = [order.index(each["rank"]) + 1 for each in ranked]
        question = into.ask("ranking", prompt, ids)
        into.answer(question, None, dict(zip(ids, marks, strict=True)))


def _branches(message: object, path: tuple[tuple[str, str], ...]) -> Iterator[tuple]:
    """(conversation, replies) for every message that has replies; deep trees are walked flat."""
    waiting = [(message, path)]
    while waiting:
        node, before = waiting.pop()
        if not isinstance(node, Mapping) or node.get("role") not in ROLES:
            raise DataError("prompt: expected a message with text, role and replies")
        here = (*before, (ROLES[node["role"]], str(node.get("text"))))
        replies = node.get("replies") or []
        yield here, [each for each in replies if isinstance(each, Mapping)]
        waiting += [(each, here) for each in reversed(replies)]


def read_votes(row: Mapping, into: Gathering) -> None:
    """A text and how many chose each class: every vote is a rating from 1 (worst) to 3."""
    prompt = into.known_prompt(_ALONE)
    ids = into.completions(prompt, [row["tweet"] if "tweet" in row else row["text"]])
    question = into.ask("rating", prompt, ids, present(row, "criterion"))
    for rating, name in enumerate(CLASSES, start=1):
        votes = count(row, name)
        if votes > MOST_VOTES:
            raise DataError(f"{name}: expected at most {MOST_VOTES} votes, got {row[name]!r:.60}")
        for _ in range(votes):
            into.answer(question, None, {ids[0]: rating})


_ALONE = Prompt(NO_PROMPT)


def read_coded(row: Mapping, into: Gathering) -> None:
    """One column per annotator and code, 1 where chosen: the codes in order are ratings.

    An annotator who saw the text twice has "1, 1" in a cell: the second answer is a revision.
    """
    prompt = into.prompt(_dialogue(row) if "agent" in row else text(row, "prompt", NO_PROMPT))
    ids = into.completions(prompt, [row["user"] if "user" in row else row.get("text")])
    question = into.ask("rating", prompt, ids, present(row, "criterion"))
    for rater, columns in coded_columns(tuple(row)).items():
        for turn in turns(row, rater, columns):
            into.answer(question, rater, {ids[0]: turn + 1})


def turns(row: Mapping, rater: str, columns: Sequence[str]) -> list[int]:
    """Which of its columns an annotator chose, each time they saw the text; [] where they did not.

    DataError: a turn without exactly one choice.
    """
    cells = [[cell.strip() for cell in text(row, name).split(",")] for name in columns]
    if not any(cell for cell_list in cells for cell in cell_list):
        return []
    said = []
    for turn in zip(*cells, strict=True):
        if sorted(turn) != ["0"] * (len(turn) - 1) + ["1"]:
            raise DataError(f"{rater}: expected one code of {len(turn)}, got {', '.join(turn)}")
        said.append(turn.index("1"))
    return said


@lru_cache(maxsize=8)
def coded_columns(names: tuple[str, ...], thing: str | None = None) -> dict[str, list[str]]:
    """rater -> the columns of `thing`, or of the first thing they coded, the lowest code first."""
    found: dict[str, dict[int, str]] = {}
    for name in names:
        # Looking takes time in a power of the length, and whoever sent the file chose it.
        match = CODE.fullmatch(name) if len(name) <= LONGEST_COLUMN else None
        if match and thing in (None, match["name"]):
            thing = match["name"]
            found.setdefault(match["rater"], {})[int(match["code"])] = name
    return {rater: [codes[code] for code in sorted(codes)] for rater, codes in found.items()}


def _dialogue(row: Mapping) -> str:
    """What was said before the text: the agent's and the user's last turns."""
    turns = (("Agent", "prev_agent"), ("User", "prev_user"), ("Agent", "agent"))
    said = [(who, text(row, name)) for who, name in turns]
    return "\n".join(f"{who}: {words}" for who, words in said if words not in ("", "_"))
