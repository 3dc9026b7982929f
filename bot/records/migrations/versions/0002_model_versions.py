"""Versions of models, and which of them serves."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "model_versions",
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("quantization", sa.String(length=32), nullable=False),
        sa.Column("base", sa.String(length=128), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("evaluation", sa.JSON(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["base"], ["model_versions.name"], name=op.f("fk_model_versions_base")
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_model_versions")),
    )
    op.create_table(
        "model_changes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("version", sa.String(length=128), nullable=False),
        sa.Column("serving", sa.String(length=128), nullable=True),
        sa.Column("canary", sa.String(length=128), nullable=True),
        sa.Column("share", sa.Float(), nullable=False),
        sa.Column("channels", sa.JSON(), nullable=False),
        sa.Column("before", sa.Integer(), nullable=True),
        sa.Column("by", sa.String(length=128), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["before"], ["model_changes.id"], name=op.f("fk_model_changes_before")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_changes")),
    )


def downgrade() -> None:
    op.drop_table("model_changes")
    op.drop_table("model_versions")
