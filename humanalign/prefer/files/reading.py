"""Reading a file of judgements, or of work to be judged: the layout is told by the columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from humanalign.errors import DataError, did_you_mean
from humanalign.prefer.files import annotated, argilla, label_studio, ranked, rich
from humanalign.prefer.files.gathering import Gathering
from humanalign.prefer.files.judgements import Judgements
from humanalign.prefer.files.uploads import Upload
from humanalign.rows import iter_rows

Reader = Callable[[Mapping, Gathering], None]


@dataclass(frozen=True)
class Layout:
    """A way to write judgements down: what it is, and the columns that show it.

    `others` lists further sets of columns that mean the same.
    """

    name: str
    about: str
    columns: tuple[str, ...]
    read: Reader
    others: tuple[tuple[str, ...], ...] = ()
    criterion: str = "helpful"
    scale: int = 3

    def fits(self, row: Mapping) -> bool:
        """Whether a row has the columns of this layout."""
        if self.name == "coded":
            return bool(annotated.coded_columns(tuple(row)))
        if self.name == "tree":
            return isinstance(row.get("prompt"), Mapping)
        return any(row.keys() >= set(names) for names in (self.columns, *self.others))


# In the order in which they are tried: the one that needs the most comes first.
_ALL = (
    Layout(
        "rich",
        "every answer with everything known of it, as exported here",
        ("prompt", "group", "kind", "completion_ids", "samplers", "marks", "rater"),
        rich.read_rich,
    ),
    Layout("argilla", "records exported by Argilla", ("fields", "responses"), argilla.read_argilla),
    Layout(
        "label-studio",
        "tasks exported by Label Studio as JSON",
        ("data", "annotations"),
        label_studio.read_label_studio,
    ),
    Layout(
        "annotators",
        "two responses and a column for each annotator: 0 tie, 1 or 2",
        ("instruction", "response1", "response2", "annotator1"),
        annotated.read_annotators,
        others=(("prompt", "response1", "response2", "annotator1"),),
    ),
    Layout(
        "worker",
        "summaries of a text, the number of the better one and the worker",
        ("info", "summaries", "choice", "worker"),
        annotated.read_worker,
    ),
    Layout("tree", "conversation trees with ranked replies", ("prompt",), annotated.read_tree),
    Layout(
        "votes",
        "texts with how many people chose each class, worst first",
        ("tweet", *annotated.CLASSES),
        annotated.read_votes,
        others=(("text", *annotated.CLASSES),),
        criterion="toxicity",
    ),
    Layout(
        "coded",
        "texts with one column an annotator and code",
        ("user", "Annotator1_is_abuse.1"),
        annotated.read_coded,
        criterion="toxicity",
        scale=5,
    ),
    Layout(
        "groups",
        "a prompt, its completions and their ranks: 1 is best, ties allowed, F is unusable",
        ("prompt", "completions", "ranks"),
        ranked.read_groups,
    ),
    Layout(
        "preference",
        "chosen and rejected as text, transcripts or conversations; prompt apart or inside",
        ("prompt", "chosen", "rejected"),
        ranked.read_preference,
        others=(("chosen", "rejected"),),
    ),
    Layout(
        "unpaired",
        "a prompt, one completion and whether it is good",
        ("prompt", "completion", "label"),
        ranked.read_unpaired,
    ),
    Layout(
        "ratings",
        "a prompt, one completion and its rating",
        ("prompt", "completion", "rating"),
        ranked.read_ratings,
    ),
    Layout(
        "choice",
        "a prompt, two completions and the better one: 1, 2, 0 for a tie, F for both bad",
        ranked.CHOICE_COLUMNS[0],
        ranked.read_choice,
        others=ranked.CHOICE_COLUMNS[1:],
    ),
    Layout(
        "matches",
        "two names and the winner: left, right or tie",
        ("left", "right", "winner"),
        ranked.read_matches,
    ),
    Layout(
        "work",
        "prompts and completions that nobody has judged yet",
        ("prompt", "completions"),
        ranked.read_work,
        others=ranked.WORK_COLUMNS[1:],
    ),
)
LAYOUTS: Mapping[str, Layout] = MappingProxyType({each.name: each for each in _ALL})


def read_judgements(
    source: Path | str | Upload,
    *,
    layout: str | None = None,
    name: str = "",
    criterion: str | None = None,
    columns: Mapping[str, str] | None = None,
) -> Judgements:
    """Read a file of judgements, or of work to be judged, in one of the LAYOUTS.

    `columns` maps the layout's names to the file's own, {"prompt": "instruction"}; `name` stands
    for the model where the file names none. DataError: what `iter_rows` raises, columns that fit
    no layout (names those present), a row that says nothing clear (names the row).
    """
    where = source.name if isinstance(source, Upload) else str(source)
    rows = source.rows() if isinstance(source, Upload) else iter_rows(source)
    numbered = enumerate(_renamed(rows, columns or {}, where), start=1)
    first = next(numbered, None)
    if first is None:
        raise DataError(f"{where}: the file holds no rows; give it at least one")
    chosen = _layout(first[1], layout, where)
    title = name or Path(where).name.split(".")[0]
    into = Gathering(title, criterion or chosen.criterion, chosen.scale)
    _read(chosen, first, into, where)
    for each in numbered:
        _read(chosen, each, into, where)
    return into.everything(title, chosen.name)


def _read(layout: Layout, numbered: tuple[int, Mapping], into: Gathering, where: str) -> None:
    number, row = numbered
    try:
        layout.read(row, into)
    except DataError as error:
        raise DataError(f"{where}: row {number}: {error}") from None
    except (KeyError, StopIteration):
        present = ", ".join(str(key) for key in row) or "none"
        raise DataError(
            f"{where}: row {number}: lacks a column of the layout '{layout.name}' "
            f"({', '.join(layout.columns)}); present: {present:.300}"
        ) from None
    except (AttributeError, TypeError, ValueError) as error:
        # The shape of foreign JSON is checked where it is used: a list where an object belongs.
        raise DataError(
            f"{where}: row {number}: is not shaped like the layout '{layout.name}' ({error})"
        ) from None


def _layout(row: Mapping, name: str | None, where: str) -> Layout:
    if name is None:
        for layout in LAYOUTS.values():
            if layout.fits(row):
                return layout
        present = ", ".join(str(key) for key in row)
        raise DataError(
            f"{where}: no layout has these columns: {present:.300}; name the columns that hold "
            "prompt, chosen and rejected, or another layout's"
        )
    if name not in LAYOUTS:
        known = ", ".join(LAYOUTS)
        raise DataError(
            f"layout: expected one of {known}, got '{name}'{did_you_mean(name, LAYOUTS)}"
        )
    return LAYOUTS[name]


def _renamed(
    rows: Iterator[dict], columns: Mapping[str, str], where: str
) -> Iterator[Mapping[str, object]]:
    theirs = {file: ours for ours, file in columns.items()}
    if not theirs:
        yield from rows
        return
    for number, row in enumerate(rows, start=1):
        for name in theirs:
            if name not in row:
                present = ", ".join(str(key) for key in row)
                raise DataError(
                    f"{where}: row {number} has no column '{name}'; present: {present:.300}"
                    f"{did_you_mean(name, [str(key) for key in row])}"
                )
        yield {theirs.get(name) or name: value for name, value in row.items()}
