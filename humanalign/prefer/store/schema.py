"""The tables of the feedback store, for SQLite and PostgreSQL alike.

Ids of prompts, completions and items are content hashes. `item` is a question about completions
of one prompt; its kind says which marks it takes (ranking, pairwise, thumb, rating). An item's
overlap is its number of `slot` rows, and a slot takes one `assignment`: the cap is a constraint,
not a count. `answer`, `answer_event`, `flag` and `audit_event` are only ever appended to;
`chain_head` holds the last link of both chains, so that a cut-off tail shows.

A change here needs a migration beside it in `versions`; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
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

criterion = Table(
    "criterion",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("definition", Text, nullable=False),
)

project = Table(
    "project",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("name", String(128), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("criterion", String(64), ForeignKey("criterion.name"), nullable=False),
    Column("settings", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("at", Float, nullable=False),
)

instruction_version = Table(
    "instruction_version",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("project_id", String(16), ForeignKey("project.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("quiz", Text, nullable=False),
    Column("by", String(128), nullable=False),
    Column("at", Float, nullable=False),
    UniqueConstraint("project_id", "number", name="instruction_version_once"),
)

item = Table(
    "item",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("project_id", String(16), ForeignKey("project.id"), nullable=False),
    Column("position", Integer, nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("prompt_id", String(16), ForeignKey("prompt.id"), nullable=False, index=True),
    Column("criterion", Text, nullable=False),
    # The marks a careful labeler gives, by completion id; None for an ordinary item.
    Column("gold", Text),
    Index("item_of_project", "project_id", "position"),
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
    # The item's project and position, and whether an assignment holds the slot: written with the
    # assignment, so that the next free slot is one step in one index, however long the queue.
    Column("project_id", String(16), nullable=False),
    Column("position", Integer, nullable=False),
    Column("taken", Boolean, nullable=False),
    Index("slot_free", "project_id", "taken", "position", "number"),
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
    Index("assignment_lease", "answered_at", "lease_until"),
)

# What a rater was shown, when, and in which order: the completion ids as JSON. It outlives the
# assignment, so that a late answer's letters still mean the same cards.
shown = Table(
    "shown",
    metadata,
    Column("item_id", String(16), ForeignKey("item.id"), primary_key=True),
    Column("rater_id", String(128), ForeignKey("rater.id"), primary_key=True),
    Column("display", Text, nullable=False),
    Column("at", Float, nullable=False),
)

# How far a rater is in a project's queue: see `ahead`. A shortcut, which may be missing.
reached = Table(
    "reached",
    metadata,
    Column("project_id", String(16), ForeignKey("project.id"), primary_key=True),
    Column("rater_id", String(128), ForeignKey("rater.id"), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("answer", Integer, nullable=False),
    Column("done", Integer, nullable=False),
    Column("beyond", Text, nullable=False),
)

answer = Table(
    "answer",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("item_id", String(16), ForeignKey("item.id"), nullable=False),
    Column("rater_id", String(128), ForeignKey("rater.id"), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("key", String(128), nullable=False, unique=True),
    # None: an extra answer, kept although every slot of the item was taken.
    Column("slot", Integer),
    Column("body", Text, nullable=False),
    Column("entered", Text, nullable=False),
    Column("instructions", Text, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("at", Float, nullable=False),
    # Added after the first release: None in rows older than that.
    Column("note", Text),
    Column("timing", Text),
    UniqueConstraint("item_id", "rater_id", "revision", name="answer_revision_once"),
    Index("answer_of_rater", "rater_id", "id"),
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

audit_event = Table(
    "audit_event",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("body", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)

draft = Table(
    "draft",
    metadata,
    Column("item_id", String(16), ForeignKey("item.id"), primary_key=True),
    Column("rater_id", String(128), ForeignKey("rater.id"), primary_key=True),
    Column("body", Text, nullable=False),
    Column("at", Float, nullable=False),
)

flag = Table(
    "flag",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("item_id", String(16), ForeignKey("item.id"), nullable=False, index=True),
    Column("rater_id", String(128), ForeignKey("rater.id"), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("at", Float, nullable=False),
)

consensus_version = Table(
    "consensus_version",
    metadata,
    Column("project_id", String(16), ForeignKey("project.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("method", String(32), nullable=False),
    # What it was derived from: the answers' content hash, and each labeler's weight.
    Column("snapshot", String(64), nullable=False),
    Column("weights", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("at", Float, nullable=False),
)

consensus_row = Table(
    "consensus_row",
    metadata,
    Column("project_id", String(16), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("item_id", String(16), ForeignKey("item.id"), primary_key=True),
    Column("body", Text, nullable=False),
    ForeignKeyConstraint(
        ["project_id", "number"], ["consensus_version.project_id", "consensus_version.number"]
    ),
)

# People. A rater id is a pseudonym; the name someone signs in with is here and can be erased.
account = Table(
    "account",
    metadata,
    Column("rater_id", String(128), ForeignKey("rater.id"), primary_key=True),
    Column("name", String(128), nullable=False),
    # The name without its case, by which someone signs in.
    Column("folded", String(256), nullable=False, unique=True),
    Column("password", Text, nullable=False),
    Column("role", String(16), nullable=False),
    Column("language", String(8), nullable=False),
    Column("about", Text, nullable=False),
    Column("at", Float, nullable=False),
    Column("erased_at", Float),
)

membership = Table(
    "membership",
    metadata,
    Column("project_id", String(16), ForeignKey("project.id"), primary_key=True),
    Column("rater_id", String(128), ForeignKey("rater.id"), primary_key=True),
    Column("status", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("consented_at", Float),
    # The instruction version whose quiz was passed; another version asks again.
    Column("passed", String(16)),
    Column("score", Float),
    Column("tries", Integer, nullable=False),
    Column("at", Float, nullable=False),
)

invite = Table(
    "invite",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("project_id", String(16), ForeignKey("project.id")),
    Column("note", Text, nullable=False),
    Column("by", String(128), nullable=False),
    Column("at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("used_at", Float),
    Column("used_by", String(128)),
)

session = Table(
    "session",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("rater_id", String(128), ForeignKey("rater.id"), nullable=False, index=True),
    Column("at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
)

api_token = Table(
    "api_token",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("hash", String(64), nullable=False, unique=True),
    Column("rater_id", String(128), ForeignKey("rater.id"), nullable=False, index=True),
    Column("name", String(128), nullable=False),
    Column("by", String(128), nullable=False),
    Column("at", Float, nullable=False),
    Column("revoked_at", Float),
)

throttle = Table(
    "throttle",
    metadata,
    Column("key", String(160), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("until", Float, nullable=False),
)
