"""What was searched for: a follow-up as it was understood."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # not in a batch: that would rebuild the table, and take along all that hangs on it
    op.add_column("answers", sa.Column("searched", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("answers", "searched")
