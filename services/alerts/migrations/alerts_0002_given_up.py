"""Find what was given up without reading every delivery that there ever was: the gauges ask every few seconds."""

from alembic import op

revision = "alerts_0002"
down_revision = "alerts_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE INDEX deliveries_exhausted ON alerts.deliveries (endpoint_id) WHERE state = 'exhausted'")


def downgrade() -> None:
    op.execute("DROP INDEX alerts.deliveries_exhausted")
