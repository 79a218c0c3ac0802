"""The tables of the feedback store, for SQLite and PostgreSQL alike.

Ids of prompts, completions and items are content hashes. `item` is a comparison (kind "ranking")
or a thumbed answer (kind "thumb"). An item's overlap is its number of `slot` rows, and a slot
takes one `assignment`: the cap is a constraint, not a count. `answer` and `answer_event` are only
ever appended to; `chain_head` holds the last link, so that a cut-off tail shows.

A change here needs a migration beside it in `migrations/versions`; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

prompt = Table(
    "prompt",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("text", Text, nullable=False),
    Column("messages", Text, nullable=False),
    Column("reference", Text),
    Column("source", Text, nullable=False),
    Column("split", String(16), nullable=False),
    Column("fields", Text, nullable=False),
)

completion = Table(
    "completion",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("prompt_id", String(16), ForeignKey("prompt.id"), nullable=False, index=True),
    Column("text", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("model", Text, nullable=False),
    Column("run", Text, nullable=False),
    Column("temperature", Float, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("finish_reason", String(16), nullable=False),
)

item = Table(
    "item",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("position", Integer, nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("prompt_id", String(16), ForeignKey("prompt.id"), nullable=False, index=True),
    Column("criterion", Text, nullable=False),
)

item_completion = Table(
    "item_completion",
    metadata,
    Column("item_id", String(16), ForeignKey("item.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("completion_id", String(16), ForeignKey("completion.id"), nullable=False),
    UniqueConstraint("item_id", "completion_id", name="item_completion_once"),
)

slot = Table(
    "slot",
    metadata,
    Column("item_id", String(16), ForeignKey("item.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
)

rater = Table(
    "rater",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("at", Float, nullable=False),
)

assignment = Table(
    "assignment",
    metadata,
    Column("item_id", String(16), primary_key=True),
    Column("slot", Integer, primary_key=True, autoincrement=False),
    Column("rater_id", String(128), ForeignKey("rater.id"), nullable=False),
    Column("lease_until", Float, nullable=False),
    Column("answered_at", Float),
    ForeignKeyConstraint(["item_id", "slot"], ["slot.item_id", "slot.number"]),
    UniqueConstraint("item_id", "rater_id", name="assignment_one_slot_a_rater"),
    Index("assignment_of_rater", "rater_id", "answered_at"),
)

answer = Table(
    "answer",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("item_id", String(16), ForeignKey("item.id"), nullable=False),
    Column("rater_id", String(128), ForeignKey("rater.id"), nullable=False, index=True),
    Column("revision", Integer, nullable=False),
    Column("key", String(128), nullable=False, unique=True),
    # None: an extra answer, kept although every slot of the item was taken.
    Column("slot", Integer),
    Column("body", Text, nullable=False),
    Column("entered", Text, nullable=False),
    Column("instructions", Text, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("at", Float, nullable=False),
    UniqueConstraint("item_id", "rater_id", "revision", name="answer_revision_once"),
)

answer_event = Table(
    "answer_event",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("answer_id", Integer, ForeignKey("answer.id"), nullable=False, unique=True),
    Column("body", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)

chain_head = Table(
    "chain_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", Integer, nullable=False),
    Column("hash", String(64), nullable=False),
)
