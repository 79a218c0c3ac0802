"""Projects: a task kind, a criterion, instructions in versions, and the people who work on it.

project = store.projects.create("Helpful answers", "ranking", "helpful", by=owner.rater_id)
store.projects.join(project.id, ann.rater_id)
store.projects.gate(project.id, ann.rater_id)  # "consent": what Ann has to do first
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

from sqlalchemy import Connection, Engine, select

from humanalign.errors import StoreError
from humanalign.prefer.defaults import Question
from humanalign.prefer.marks import KINDS, Kind
from humanalign.prefer.store import instructions as versions
from humanalign.prefer.store import members
from humanalign.prefer.store.assign import replace_answers
from humanalign.prefer.store.audit import append_audit
from humanalign.prefer.store.database import writing
from humanalign.prefer.store.instructions import Instructions
from humanalign.prefer.store.members import STANDINGS, Entry, Gate, Member, Standing
from humanalign.prefer.store.project_rows import (
    DEFINITION_LENGTH,
    STATUSES,
    NewProject,
    Project,
    Status,
    all_projects,
    change_project,
    check_unrated,
    define,
    find_project,
    insert_project,
    project_id_of,
    project_of,
    require_project,
)
from humanalign.prefer.store.project_settings import ProjectSettings, read_settings, settings_text
from humanalign.prefer.store.records import require_ids
from humanalign.prefer.store.schema import criterion, membership, project, rater
from humanalign.prefer.store.spelling import clean_name, clean_text, one_of, storable

__all__ = [
    "KINDS",
    "Entry",
    "Gate",
    "Instructions",
    "Kind",
    "Member",
    "Project",
    "ProjectSettings",
    "Projects",
    "Question",
    "Standing",
    "Status",
    "read_settings",
]

REASON_LENGTH = 500


class Projects:
    """The projects of one store. Whatever an owner changes is in the audit log, under `by`."""

    def __init__(self, engine: Engine, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._clock = clock

    def create(
        self,
        name: str,
        kind: Kind,
        criterion: str,
        *,
        definition: str = "",
        settings: ProjectSettings | None = None,
        instructions: str | None = None,
        quiz: Sequence[Question] = (),
        by: str = "",
    ) -> Project:
        """A new open project; without `instructions` or `quiz` it gets the default ones.

        StoreError: an unfit name, one that is taken, an unknown kind, a criterion that is
        already defined in other words, instructions or a quiz that cannot be used.
        """
        settings = settings or ProjectSettings()
        asked = NewProject(name, kind, criterion, definition, settings)
        versions.check_instructions("-" if instructions is None else instructions, quiz)
        with writing(self._engine) as connection:
            now = self._clock()
            new = insert_project(connection, asked, by=by, now=now)
            if instructions is None:
                versions.add_default_version(connection, new, now, quiz)
            else:
                content = (instructions, quiz)
                versions.add_version(connection, new, content, by=by, now=now)
            return require_project(connection, new)

    def get(self, project_id: str) -> Project:
        """A project by its id. StoreError: unknown id."""
        with self._engine.connect() as connection:
            return require_project(connection, project_id)

    def named(self, name: str) -> Project | None:
        """A project by its name."""
        with self._engine.connect() as connection:
            return find_project(connection, project_id_of(name)) if storable(name) else None

    def all(self) -> list[Project]:
        """Every project in the order they were made."""
        with self._engine.connect() as connection:
            return [project_of(row) for row in connection.execute(all_projects()).mappings()]

    def configure(self, project_id: str, settings: ProjectSettings, by: str) -> None:
        """Replace the settings.

        StoreError: unknown id, or another scale where ratings are stored by the present one.
        """
        with writing(self._engine) as connection:
            found = require_project(connection, project_id)
            before = asdict(found.settings)
            if found.kind == "rating" and settings.scale != found.settings.scale:
                check_unrated(connection, found, settings.scale)
            changed = {k: v for k, v in asdict(settings).items() if before[k] != v}
            change_project(connection, project_id, {"settings": settings_text(settings)})
            self._audit(connection, by, "configure project", f"project:{project_id}", changed)

    def set_status(self, project_id: str, status: Status, by: str) -> None:
        """Open, pause or archive a project. StoreError: unknown id or status."""
        fit = one_of("status", status, STATUSES)
        with writing(self._engine) as connection:
            require_project(connection, project_id)
            change_project(connection, project_id, {"status": fit})
            detail = {"status": fit}
            self._audit(connection, by, "set project status", f"project:{project_id}", detail)

    def criteria(self) -> dict[str, str]:
        """The definition of every criterion, by name."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(criterion).order_by(criterion.c.name))
            return {row.name: row.definition for row in rows}

    def define(self, name: str, definition: str, by: str) -> None:
        """Say what a criterion means, for every project that judges by it."""
        name = clean_name(name, "criterion")
        clean_text("definition", definition, DEFINITION_LENGTH)
        with writing(self._engine) as connection:
            define(connection, name, definition)
            detail = {"definition": definition}
            self._audit(connection, by, "define criterion", f"criterion:{name}", detail)

    def publish(
        self, project_id: str, text: str, quiz: Sequence[Question], by: str
    ) -> Instructions:
        """A new version of the instructions; everyone passes its quiz before the next task.

        The newest version once more stays as it is. StoreError: unknown project, no text, a
        question that nobody could answer.
        """
        versions.check_instructions(text, quiz)
        with writing(self._engine) as connection:
            require_project(connection, project_id)
            before = versions.newest_version(connection, project_id)
            now, content = self._clock(), (text, quiz)
            made = versions.add_version(connection, project_id, content, by=by, now=now)
            if before is None or made.id != before.id:
                detail = {"version": made.id, "number": made.number}
                where = f"project:{project_id}"
                self._audit(connection, by, "publish instructions", where, detail)
            return made

    def instructions(self, project_id: str) -> Instructions:
        """The newest version; a project without one is given the default. StoreError: unknown."""
        with self._engine.connect() as connection:
            found = versions.newest_version(connection, require_project(connection, project_id).id)
        if found is not None:
            return found
        with writing(self._engine) as connection:
            found = versions.newest_version(connection, project_id)
            now = self._clock()
            return found or versions.add_default_version(connection, project_id, now)

    def version(self, instruction_id: str) -> Instructions:
        """A version by its id, as answers are stamped with it. StoreError: unknown id."""
        with self._engine.connect() as connection:
            found = versions.find_version(connection, instruction_id)
        if found is None:
            raise StoreError(f"the store holds no instructions '{instruction_id}'")
        return found

    def versions(self, project_id: str) -> list[Instructions]:
        """Every version of a project's instructions, the oldest first. StoreError: unknown id."""
        with self._engine.connect() as connection:
            return versions.all_versions(connection, require_project(connection, project_id).id)

    def join(self, project_id: str, rater_id: str) -> None:
        """Make a rater a member; one who is stays so. StoreError: unknown project or rater."""
        with writing(self._engine) as connection:
            require_project(connection, project_id)
            require_ids(connection, rater, [rater_id])
            members.add_member(connection, project_id, rater_id, self._clock())

    def member(self, project_id: str, rater_id: str) -> Member | None:
        """A rater's membership of a project."""
        with self._engine.connect() as connection:
            return members.find_member(connection, project_id, rater_id)

    def members(self, project_id: str) -> list[Member]:
        """A project's members in the order they joined. StoreError: unknown project."""
        with self._engine.connect() as connection:
            return members.all_members(connection, require_project(connection, project_id).id)

    def projects_of(self, rater_id: str) -> list[Project]:
        """The projects a rater is a member of, in the order they were made."""
        mine = select(membership.c.project_id).where(membership.c.rater_id == rater_id)
        rows = all_projects().where(project.c.id.in_(mine))
        with self._engine.connect() as connection:
            return [project_of(row) for row in connection.execute(rows).mappings()]

    def consent(self, project_id: str, rater_id: str) -> None:
        """Note that a member agreed to take part. StoreError: no member."""
        with writing(self._engine) as connection:
            if members.require_member(connection, project_id, rater_id).consented_at is None:
                values = {"consented_at": self._clock()}
                members.change_member(connection, project_id, rater_id, values)

    def record_quiz(self, project_id: str, rater_id: str, version_id: str, score: float) -> bool:
        """Note a try at a version's quiz, `score` being the share right; True where it passed.

        A version that is no longer the newest cannot be passed. StoreError: no member, a version
        of another project, a score outside 0 to 1.
        """
        if not 0 <= score <= 1:
            raise StoreError(f"score: expected a share from 0 to 1, got {score}")
        with writing(self._engine) as connection:
            now = members.require_member(connection, project_id, rater_id)
            tried = versions.find_version(connection, version_id)
            if tried is None or tried.project_id != project_id:
                raise StoreError(f"the store holds no instructions '{version_id}' of this project")
            newest = versions.newest_version(connection, project_id)
            mark = require_project(connection, project_id).settings.pass_mark
            passed = newest == tried and score >= mark
            values: dict[str, object] = {"score": float(score), "tries": now.tries + 1}
            if passed:
                values |= {"passed": version_id, "reason": ""}
            members.change_member(connection, project_id, rater_id, values)
            return passed

    def ask_again(self, project_id: str, rater_id: str, by: str, reason: str) -> None:
        """Have a member read the instructions and pass the quiz again. StoreError: no member."""
        clean_text("reason", reason, REASON_LENGTH)
        with writing(self._engine) as connection:
            values: dict[str, object] = {"passed": None, "reason": reason}
            members.change_member(connection, project_id, rater_id, values)
            detail = {"project": project_id, "reason": reason}
            self._audit(connection, by, "ask again", f"person:{rater_id}", detail)

    def set_standing(
        self, project_id: str, rater_id: str, status: Standing, reason: str, by: str
    ) -> None:
        """Pause or exclude a member, or let them work again. StoreError: no member, no reason.

        What an excluded member answered is asked of one more labeler each; those further answers
        stay when the member is let back in.
        """
        fit = one_of("status", status, STANDINGS)
        clean_text("reason", reason, REASON_LENGTH)
        if fit != "active" and not reason.strip():
            raise StoreError("reason: say why; the person reads it")
        with writing(self._engine) as connection:
            values: dict[str, object] = {"status": fit, "reason": reason}
            before = members.require_member(connection, project_id, rater_id).status
            members.change_member(connection, project_id, rater_id, values)
            detail: dict[str, object] = {"project": project_id, "status": fit, "reason": reason}
            if fit == "excluded" != before:
                detail["opened"] = replace_answers(connection, project_id, rater_id)
            self._audit(connection, by, "set standing", f"person:{rater_id}", detail)

    def gate(self, project_id: str, rater_id: str) -> Gate:
        """What stands between a member and work, "open" being nothing. StoreError: no member."""
        with self._engine.connect() as connection:
            return members.entry(connection, project_id, rater_id).gate

    def entry(self, project_id: str, rater_id: str) -> Entry:
        """The gate and the newest instructions' id, for what needs both. StoreError: no member."""
        with self._engine.connect() as connection:
            return members.entry(connection, project_id, rater_id)

    def _audit(
        self, connection: Connection, by: str, action: str, subject: str, detail: Mapping
    ) -> None:
        append_audit(connection, self._clock(), by, action, subject, detail)
