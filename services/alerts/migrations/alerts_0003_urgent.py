"""Deliveries about critical issues go before all others of their endpoint: in a storm they must not stand in line."""

from alembic import op

revision = "alerts_0003"
down_revision = "alerts_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE alerts.deliveries ADD COLUMN urgent boolean NOT NULL DEFAULT false")
    op.execute(
        "CREATE INDEX deliveries_urgent ON alerts.deliveries (endpoint_id, next_at) WHERE state = 'pending' AND urgent"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE alerts.deliveries DROP COLUMN urgent")
