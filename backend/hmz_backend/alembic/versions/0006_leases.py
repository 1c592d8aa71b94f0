"""Several server processes agree on which of them looks after volumes and runs."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; its row comes with the first process."""
    op.create_table(
        "leases",
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("term", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("ends_at_s", sa.Float(), nullable=False),
    )


def downgrade() -> None:
    """Remove it."""
    op.drop_table("leases")
