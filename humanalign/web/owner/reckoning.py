"""The statistics of a project: computed once for what they rest on, kept in this process.

Small projects are reckoned while the page waits. For big ones a thread does it, and the page shows
the former figures with the answer they count to. A thread begins again only after a pause in
proportion to how long the last one took, so that labelers at work do not feel it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request

from humanalign.prefer.statistics.summary import Summary, summarise
from humanalign.prefer.store import FeedbackStore
from humanalign.prefer.store.progress import Pace
from humanalign.prefer.store.projects import Project
from humanalign.web.guard import store_of

LOG = logging.getLogger("humanalign.web")
# Up to this answer number a page waits for its figures.
SMALL = 600
# A thread rests this many times as long as its last reckoning took.
REST = 4.0

# The newest answer's number, and a digest of what else figures rest on.
State = tuple[int, str]
# The speed of the project, and of each labeler by rater id.
Paces = tuple[Pace, dict[str, Pace]]


@dataclass(frozen=True)
class Reckoned:
    """Figures that count every answer up to number `last`; `took` seconds, done `at`."""

    summary: Summary
    pace: Paces
    last: int
    state: State
    at: float
    took: float


@dataclass(frozen=True)
class Look:
    """What a page can show now: the newest figures there are, whether newer are coming (`busy`),
    and whether they could not be computed (`failed`: the server's log says why)."""

    reckoned: Reckoned | None
    busy: bool
    last: int
    failed: bool = False
    pace: Paces = (Pace(), {})


class Reckoner:
    """The figures of every project of one store."""

    def __init__(self, store: FeedbackStore, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[str, Reckoned] = {}
        self._busy: set[str] = set()
        self._failed: dict[str, State] = {}
        self._paces: dict[str, tuple[State, Paces]] = {}

    def look(self, project: Project) -> Look:
        """The figures of a project, newer ones started where answers have come since."""
        state = self._store.figures.state(project.id)
        kept = self._kept.get(project.id)
        if state[0] == 0:
            return Look(None, False, 0)
        pace = kept.pace if kept else self._pace(project, state)
        if kept is not None and kept.state == state:
            return Look(kept, False, state[0], pace=pace)
        if self._failed.get(project.id) == state:
            return Look(kept, False, state[0], failed=True, pace=pace)
        if (kept.summary.answers if kept else pace[0].answers) > SMALL:
            return Look(kept, self._begin(project, kept), state[0], pace=pace)
        self._work(project)
        made = self._kept.get(project.id)
        failed = project.id in self._failed
        return Look(made, False, state[0], failed, made.pace if made else pace)

    def _pace(self, project: Project, state: State) -> Paces:
        """The speed before there are figures: quickly read, but not with every page."""
        held = self._paces.get(project.id)
        if held is None or held[0] != state:
            held = self._paces[project.id] = (state, self._store.figures.pace(project.id))
        return held[1]

    def _begin(self, project: Project, kept: Reckoned | None) -> bool:
        """Start a thread, unless one runs or the last has just ended; say whether one runs."""
        rested = kept is None or self._clock() - kept.at > REST * kept.took
        with self._lock:
            if project.id in self._busy:
                return True
            if not rested:
                return False
            self._busy.add(project.id)
        # A daemon: whoever stops the server does not wait for figures.
        threading.Thread(target=self._work, args=(project,), daemon=True).start()
        return True

    def _work(self, project: Project) -> None:
        state = self._store.figures.state(project.id)
        try:
            # Read after the state: what changes between the two is reckoned again.
            self._reckon(self._store.projects.get(project.id), state)
            self._failed.pop(project.id, None)
        except Exception:
            # The counts beside them are right all the same, and new answers are a new chance.
            self._failed[project.id] = state
            LOG.exception("the statistics of project %s failed", project.id)
        finally:
            with self._lock:
                self._busy.discard(project.id)

    def _reckon(self, project: Project, state: State) -> None:
        started = time.perf_counter()
        store = self._store
        material = store.figures.material(project.id)
        settings = project.settings
        scale = (0, 1) if project.kind == "thumb" else tuple(range(1, settings.scale + 1))
        summary = summarise(
            material.judgements,
            raters=store.raters(),
            answers=material.timed,
            gold=material.gold,
            shown=material.shown,
            models=material.models,
            criterion=project.criterion,
            scale=scale,
            contested_overlap=settings.contested_overlap,
        )
        pace = store.figures.pace(project.id)
        took = time.perf_counter() - started
        self._kept[project.id] = Reckoned(summary, pace, material.last, state, self._clock(), took)


def look(request: Request, project: Project) -> Look:
    """The figures of a project as this process knows them."""
    held = request.app.state
    if not getattr(held, "reckoner", None):
        held.reckoner = Reckoner(store_of(request))
    return held.reckoner.look(project)
