"""Volumes and runs can be shared, and volumes declared sensitive."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table and the column; volumes that are there are not sensitive."""
    op.add_column(
        "volumes",
        sa.Column("is_sensitive", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.create_table(
        "shares",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("thing", sa.String(), nullable=False),
        sa.Column("group_text", sa.String(), nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("allows", sa.String(), nullable=False),
        sa.Column("created_at", sa.String(), nullable=False),
        sa.UniqueConstraint("thing", "group_text", "issuer", "subject", name="share_with_someone"),
    )
    op.create_index("shares_by_group", "shares", ["group_text"])
    op.create_index("shares_by_person", "shares", ["issuer", "subject"])


def downgrade() -> None:
    """Remove them."""
    op.drop_table("shares")
    op.drop_column("volumes", "is_sensitive")
