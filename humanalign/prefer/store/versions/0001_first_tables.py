"""The first tables of the feedback store."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "prompt",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("messages", sa.Text, nullable=False),
        sa.Column("reference", sa.Text),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("split", sa.String(16), nullable=False),
        sa.Column("fields", sa.Text, nullable=False),
    )
    op.create_table(
        "completion",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("prompt_id", sa.String(16), sa.ForeignKey("prompt.id"), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("run", sa.Text, nullable=False),
        sa.Column("temperature", sa.Float, nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("finish_reason", sa.String(16), nullable=False),
    )
    op.create_table(
        "item",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("position", sa.Integer, nullable=False, unique=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("prompt_id", sa.String(16), sa.ForeignKey("prompt.id"), nullable=False),
        sa.Column("criterion", sa.Text, nullable=False),
    )
    op.create_table(
        "item_completion",
        sa.Column("item_id", sa.String(16), sa.ForeignKey("item.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("completion_id", sa.String(16), sa.ForeignKey("completion.id"), nullable=False),
        sa.UniqueConstraint("item_id", "completion_id", name="item_completion_once"),
    )
    op.create_table(
        "slot",
        sa.Column("item_id", sa.String(16), sa.ForeignKey("item.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    )
    op.create_table(
        "rater",
        sa.Column("id", sa.String(128), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.create_table(
        "assignment",
        sa.Column("item_id", sa.String(16), primary_key=True),
        sa.Column("slot", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("rater_id", sa.String(128), sa.ForeignKey("rater.id"), nullable=False),
        sa.Column("lease_until", sa.Float, nullable=False),
        sa.Column("answered_at", sa.Float),
        sa.ForeignKeyConstraint(["item_id", "slot"], ["slot.item_id", "slot.number"]),
        sa.UniqueConstraint("item_id", "rater_id", name="assignment_one_slot_a_rater"),
    )
    op.create_table(
        "answer",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("item_id", sa.String(16), sa.ForeignKey("item.id"), nullable=False),
        sa.Column("rater_id", sa.String(128), sa.ForeignKey("rater.id"), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("key", sa.String(128), nullable=False, unique=True),
        sa.Column("slot", sa.Integer),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("entered", sa.Text, nullable=False),
        sa.Column("instructions", sa.Text, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.UniqueConstraint("item_id", "rater_id", "revision", name="answer_revision_once"),
    )
    op.create_table(
        "answer_event",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("answer_id", sa.Integer, sa.ForeignKey("answer.id"), nullable=False, unique=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.create_table(
        "chain_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.create_index("ix_completion_prompt_id", "completion", ["prompt_id"])
    op.create_index("ix_item_prompt_id", "item", ["prompt_id"])
    op.create_index("ix_answer_rater_id", "answer", ["rater_id"])
    op.create_index("assignment_of_rater", "assignment", ["rater_id", "answered_at"])
    op.execute("INSERT INTO chain_head (id, seq, hash) VALUES (1, 0, '')")
