"""What was searched for: a follow-up as it was understood.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("answers") as answers:
        answers.add_column(sa.Column("searched", sa.Text(), nullable=False, server_default=""))
    with op.batch_alter_table("answers") as answers:
        answers.alter_column("searched", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("answers") as answers:
        answers.drop_column("searched")
