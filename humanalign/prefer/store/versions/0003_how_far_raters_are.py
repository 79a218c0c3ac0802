"""How far each rater is in a project's queue, and a rater's answers in the order they came."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "reached",
        sa.Column("project_id", sa.String(16), sa.ForeignKey("project.id"), primary_key=True),
        sa.Column("rater_id", sa.String(128), sa.ForeignKey("rater.id"), primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("answer", sa.Integer, nullable=False),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("beyond", sa.Text, nullable=False),
    )
    op.drop_index("ix_answer_rater_id", "answer")
    op.create_index("answer_of_rater", "answer", ["rater_id", "id"])
