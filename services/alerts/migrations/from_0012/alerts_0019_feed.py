"""How an issue was before a change, so that the live stream can tell readers of a part that it left that part."""

from alembic import op

revision = "alerts_0019"
down_revision = "alerts_0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE alerts.feed ADD COLUMN was json")  # null: it was not, or nobody wrote it down


def downgrade() -> None:
    op.execute("ALTER TABLE alerts.feed DROP COLUMN was")
