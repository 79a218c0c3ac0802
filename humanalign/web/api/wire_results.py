"""What comes out: statistics, labelers, consensus, judgements, pairs, exports."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from humanalign.web.api.wire import Anything, At, HexId, Mark, Sent, Told, Whole
from humanalign.web.api.wire_projects import GivenTold

Method = Literal["borda", "kemeny", "bradley-terry"]


class Statistics(Told):
    """Agreement, time and models, each figure with its interval and a sentence that explains it.

    They count every answer up to number `counted`; `busy` while newer ones are being worked out,
    and null before there are any.
    """

    counted: int
    last: int = Field(description="The number of the newest answer.")
    busy: bool
    statistics: Anything | None


class LabelerList(Told):
    """How well each labeler judges, with what stands out and what to do about it."""

    counted: int
    last: int
    busy: bool
    labelers: list[Anything] | None


class NewConsensus(Sent):
    """How to make one order of several: weighted Borda, exact Kemeny, crowd Bradley-Terry."""

    method: Method = "borda"


class VersionTold(Told):
    """One consensus version; the same answers by the same method have the same digest."""

    number: int
    method: str
    snapshot: str
    weights: dict[str, float]
    digest: str
    at: At


class VersionPage(Told):
    """Every version, the newest first."""

    versions: list[VersionTold]


class Leaning(Told):
    """How clearly one completion is preferred to another, 0 to 1."""

    better: HexId
    worse: HexId
    margin: float


class Agreed(Told):
    """What the labelers agree on about one item; `contested` pairs ask for more labelers."""

    item: HexId
    marks: dict[HexId, Mark] = Field(description="Competition ranks by completion id.")
    raters: list[str]
    margins: list[Leaning]
    contested: list[list[HexId]]


class ConsensusPage(Told):
    """One version's items in the order asked."""

    number: int
    rows: list[Agreed]
    next: Whole | None


class JudgementPage(Told):
    """Every revision of every answer in the order they came."""

    judgements: list[GivenTold]
    next: Whole | None


class PairTold(Told):
    """Two answers to one prompt, the preferred one first."""

    prompt: str
    chosen: str
    rejected: str
    weight: float
    margin: float
    rater: str = Field(examples=["consensus"])
    prompt_id: HexId
    source: Literal["human", "ai"]


class PairPage(Told):
    """The pairs of one page of items; `next` is null at the end."""

    pairs: list[PairTold]
    next: Whole | None


class ExportTold(Told):
    """A format, what it holds and what it loses."""

    name: str
    title: str
    about: str
    containers: list[str]


class ExportList(Told):
    """The formats that fit the project's kind."""

    exports: list[ExportTold]
