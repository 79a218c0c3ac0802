"""Projects, instructions, people and their sign-in, drafts, flags, consensus versions, audit.

Comparisons of an older store go to a project named after their criterion.
"""

import hashlib
import time

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    _projects()
    _people()
    _records()
    _columns()
    _move_items()
    _constrain()
    op.execute("INSERT INTO chain_head (id, seq, hash) VALUES (2, 0, '')")


def _projects() -> None:
    op.create_table(
        "criterion",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("definition", sa.Text, nullable=False),
    )
    op.create_table(
        "project",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("name", sa.String(128), nullable=False, unique=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("criterion", sa.String(64), sa.ForeignKey("criterion.name"), nullable=False),
        sa.Column("settings", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.create_table(
        "instruction_version",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("project_id", sa.String(16), sa.ForeignKey("project.id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("quiz", sa.Text, nullable=False),
        sa.Column("by", sa.String(128), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.UniqueConstraint("project_id", "number", name="instruction_version_once"),
    )
    op.create_table(
        "consensus_version",
        sa.Column("project_id", sa.String(16), sa.ForeignKey("project.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("method", sa.String(32), nullable=False),
        sa.Column("snapshot", sa.String(64), nullable=False),
        sa.Column("weights", sa.Text, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.create_table(
        "consensus_row",
        sa.Column("project_id", sa.String(16), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("item_id", sa.String(16), sa.ForeignKey("item.id"), primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id", "number"], ["consensus_version.project_id", "consensus_version.number"]
        ),
    )


def _people() -> None:
    rater = sa.ForeignKey("rater.id")
    op.create_table(
        "account",
        sa.Column("rater_id", sa.String(128), rater, primary_key=True),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("folded", sa.String(256), nullable=False, unique=True),
        sa.Column("password", sa.Text, nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("about", sa.Text, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("erased_at", sa.Float),
    )
    op.create_table(
        "membership",
        sa.Column("project_id", sa.String(16), sa.ForeignKey("project.id"), primary_key=True),
        sa.Column("rater_id", sa.String(128), sa.ForeignKey("rater.id"), primary_key=True),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("consented_at", sa.Float),
        sa.Column("passed", sa.String(16)),
        sa.Column("score", sa.Float),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.create_table(
        "invite",
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("project_id", sa.String(16), sa.ForeignKey("project.id")),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("by", sa.String(128), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
        sa.Column("used_at", sa.Float),
        sa.Column("used_by", sa.String(128)),
    )
    _ways_in()


def _ways_in() -> None:
    op.create_table(
        "session",
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("rater_id", sa.String(128), sa.ForeignKey("rater.id"), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
    )
    op.create_table(
        "api_token",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("hash", sa.String(64), nullable=False, unique=True),
        sa.Column("rater_id", sa.String(128), sa.ForeignKey("rater.id"), nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("by", sa.String(128), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("revoked_at", sa.Float),
    )
    op.create_table(
        "throttle",
        sa.Column("key", sa.String(160), primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("until", sa.Float, nullable=False),
    )
    op.create_index("ix_session_rater_id", "session", ["rater_id"])
    op.create_index("ix_api_token_rater_id", "api_token", ["rater_id"])


def _records() -> None:
    op.create_table(
        "audit_event",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.create_table(
        "shown",
        sa.Column("item_id", sa.String(16), sa.ForeignKey("item.id"), primary_key=True),
        sa.Column("rater_id", sa.String(128), sa.ForeignKey("rater.id"), primary_key=True),
        sa.Column("display", sa.Text, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.create_table(
        "draft",
        sa.Column("item_id", sa.String(16), sa.ForeignKey("item.id"), primary_key=True),
        sa.Column("rater_id", sa.String(128), sa.ForeignKey("rater.id"), primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.create_table(
        "flag",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("item_id", sa.String(16), sa.ForeignKey("item.id"), nullable=False),
        sa.Column("rater_id", sa.String(128), sa.ForeignKey("rater.id"), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.create_index("ix_flag_item_id", "flag", ["item_id"])
    op.create_index("ix_flag_rater_id", "flag", ["rater_id"])


def _columns() -> None:
    op.add_column("item", sa.Column("project_id", sa.String(16)))
    op.add_column("item", sa.Column("gold", sa.Text))
    op.add_column("slot", sa.Column("project_id", sa.String(16)))
    op.add_column("slot", sa.Column("position", sa.Integer))
    op.add_column("slot", sa.Column("taken", sa.Boolean))
    op.add_column("answer", sa.Column("note", sa.Text))
    op.add_column("answer", sa.Column("timing", sa.Text))


def _move_items() -> None:
    """Every old comparison belongs to the project of its criterion, every thumb to "chat"."""
    bind = op.get_bind()
    rows = bind.execute(sa.text("SELECT DISTINCT kind, criterion FROM item")).all()
    now = time.time()
    for kind, criterion in rows:
        name = "chat" if kind == "thumb" else criterion
        values = {"id": hashlib.sha256(f"project {name}".encode()).hexdigest()[:16], "name": name}
        values |= {"kind": kind, "criterion": criterion or "helpful", "at": now}
        for statement in (
            "INSERT INTO criterion (name, definition) SELECT :criterion, '' "
            "WHERE NOT EXISTS (SELECT 1 FROM criterion WHERE name = :criterion)",
            "INSERT INTO project (id, name, kind, criterion, settings, status, at) "
            "SELECT :id, :name, :kind, :criterion, '{}', 'open', :at "
            "WHERE NOT EXISTS (SELECT 1 FROM project WHERE id = :id)",
        ):
            bind.execute(sa.text(statement), values)
        here = {"id": values["id"], "kind": kind, "asked": criterion}
        bind.execute(
            sa.text("UPDATE item SET project_id = :id WHERE kind = :kind AND criterion = :asked"),
            here,
        )
    for statement in (
        "UPDATE slot SET project_id = (SELECT project_id FROM item WHERE item.id = slot.item_id),"
        " position = (SELECT position FROM item WHERE item.id = slot.item_id),"
        " taken = EXISTS (SELECT 1 FROM assignment"
        " WHERE assignment.item_id = slot.item_id AND assignment.slot = slot.number)",
    ):
        bind.execute(sa.text(statement))


def _constrain() -> None:
    with op.batch_alter_table("item") as table:
        table.alter_column("project_id", nullable=False, existing_type=sa.String(16))
        table.create_foreign_key("item_project", "project", ["project_id"], ["id"])
    with op.batch_alter_table("slot") as table:
        table.alter_column("project_id", nullable=False, existing_type=sa.String(16))
        table.alter_column("position", nullable=False, existing_type=sa.Integer)
        table.alter_column("taken", nullable=False, existing_type=sa.Boolean)
    op.create_index("item_of_project", "item", ["project_id", "position"])
    op.create_index("slot_free", "slot", ["project_id", "taken", "position", "number"])
    op.create_index("assignment_lease", "assignment", ["answered_at", "lease_until"])
