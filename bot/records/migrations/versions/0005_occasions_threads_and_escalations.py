"""How a question was asked and what was attached; muted threads and escalations."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_COLUMNS: dict[str, tuple[sa.types.TypeEngine[Any], str]] = {
    "team": (sa.String(length=64), ""),
    "occasion": (sa.String(length=16), "mention"),
    "response_url": (sa.Text(), ""),
    "files": (sa.JSON(), "[]"),
}


def upgrade() -> None:
    with op.batch_alter_table("questions") as questions:
        for name, (kind, default) in _COLUMNS.items():
            questions.add_column(sa.Column(name, kind, nullable=False, server_default=default))
    op.execute("UPDATE questions SET occasion = 'direct' WHERE is_direct")
    # The defaults stay: to drop them SQLite would build the table anew, and to drop the old one
    # deletes its rows, with every answer and vote that belongs to them.
    with op.batch_alter_table("questions") as questions:
        questions.create_index("ix_questions_channel_thread", ["channel", "thread"])
        questions.create_index(questions.f("ix_questions_reply_ts"), ["reply_ts"])
    op.create_table(
        "muted_threads",
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("thread", sa.String(length=64), nullable=False),
        sa.Column("muted_by", sa.String(length=64), nullable=False),
        sa.Column("muted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("channel", "thread", name=op.f("pk_muted_threads")),
    )
    op.create_table(
        "escalations",
        sa.Column("answer_id", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("thread", sa.String(length=64), nullable=False),
        sa.Column("asked_by", sa.String(length=64), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("owners", sa.JSON(), nullable=False),
        sa.Column("answered_by", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["answer_id"],
            ["answers.id"],
            name=op.f("fk_escalations_answer_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("answer_id", name=op.f("pk_escalations")),
    )
    with op.batch_alter_table("escalations") as escalations:
        escalations.create_index(escalations.f("ix_escalations_channel"), ["channel"])


def downgrade() -> None:
    op.drop_table("escalations")
    op.drop_table("muted_threads")
    with op.batch_alter_table("questions") as questions:
        questions.drop_index(questions.f("ix_questions_reply_ts"))
        questions.drop_index("ix_questions_channel_thread")
        for name in _COLUMNS:
            questions.drop_column(name)
