"""The trace of what a notification tells of, so that its deliveries belong to it; null where nothing is traced."""

from alembic import op

revision = "alerts_0021"
down_revision = "alerts_0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE alerts.notifications ADD COLUMN traceparent text")


def downgrade() -> None:
    op.execute("ALTER TABLE alerts.notifications DROP COLUMN traceparent")
