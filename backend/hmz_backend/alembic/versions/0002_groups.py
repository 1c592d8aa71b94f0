"""Runs keep the groups of their owner: a run goes on with the same share after a restart."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; runs that are there have none."""
    op.add_column("runs", sa.Column("groups", sa.String(), nullable=False, server_default="[]"))


def downgrade() -> None:
    """Remove the column."""
    op.drop_column("runs", "groups")
