"""Which question of a thread has its turn, and when each vote was changed last."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_moment = sa.DateTime(timezone=True)


def upgrade() -> None:
    with op.batch_alter_table("questions") as questions:
        questions.add_column(sa.Column("begun_at", _moment, nullable=True))
        questions.add_column(sa.Column("finished_at", _moment, nullable=True))
        questions.create_index(questions.f("ix_questions_finished_at"), ["finished_at"])

    # Whatever is still at work began as a job of its own, which needs no turn.
    op.execute("UPDATE questions SET begun_at = asked_at, finished_at = asked_at")

    op.create_table(
        "vote_changes",
        sa.Column("answer_id", sa.String(length=64), nullable=False),
        sa.Column("voter", sa.String(length=64), nullable=False),
        sa.Column("changed_at", _moment, nullable=False),
        sa.ForeignKeyConstraint(
            ["answer_id"],
            ["answers.id"],
            name=op.f("fk_vote_changes_answer_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("answer_id", "voter", name=op.f("pk_vote_changes")),
    )


def downgrade() -> None:
    op.drop_table("vote_changes")
    with op.batch_alter_table("questions") as questions:
        questions.drop_index(questions.f("ix_questions_finished_at"))
        questions.drop_column("finished_at")
        questions.drop_column("begun_at")
