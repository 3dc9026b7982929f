"""Which tone answers have in a channel, and from which sources they come."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("channels") as channels:
        channels.add_column(sa.Column("persona", sa.Text(), nullable=False, server_default=""))
        channels.add_column(sa.Column("sources", sa.JSON(), nullable=False, server_default="[]"))


def downgrade() -> None:
    with op.batch_alter_table("channels") as channels:
        channels.drop_column("sources")
        channels.drop_column("persona")
