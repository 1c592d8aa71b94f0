"""The ledger of what people use; and room for speeds over thousands of millions of voxels."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

KEY = ("day", "issuer", "subject", "groups", "model", "version", "process")
AMOUNTS = ("tiles", "voxels", "engine_us", "bytes_up", "bytes_down")


def upgrade() -> None:
    """Make the tables; widen the counter that a single large run could overflow in PostgreSQL."""
    op.create_table(
        "usage",
        *(sa.Column(name, sa.String(), primary_key=True) for name in KEY),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in AMOUNTS),
    )
    op.create_index("usage_by_person", "usage", ["issuer", "subject"])
    op.create_table(
        "usage_groups",
        sa.Column("digest", sa.String(), primary_key=True),
        sa.Column("groups", sa.String(), nullable=False),
    )
    with op.batch_alter_table("speeds") as speeds:
        speeds.alter_column("voxels", existing_type=sa.Integer(), type_=sa.BigInteger())


def downgrade() -> None:
    """Remove the tables; the counter stays as wide as it is: it may be too large by now."""
    op.drop_table("usage_groups")
    op.drop_table("usage")
