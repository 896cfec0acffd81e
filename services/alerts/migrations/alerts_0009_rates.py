"""A rate for an endpoint, which every replica keeps together, and messages that a newer one made needless.

`rate_full_at` is the theoretical arrival time of the generic cell rate algorithm: when all that was sent is paid for.
"""

from alembic import op

revision = "alerts_0009"
down_revision = "alerts_0008"
branch_labels = None
depends_on = None

STATES = "('pending', 'delivered', 'exhausted', 'superseded')"


def upgrade() -> None:
    op.execute(
        "ALTER TABLE alerts.endpoints ADD COLUMN rate_per_minute integer CHECK (rate_per_minute BETWEEN 1 AND 60000),"
        " ADD COLUMN rate_full_at timestamptz, ADD COLUMN coalesces boolean NOT NULL DEFAULT false"
    )
    op.execute("ALTER TABLE alerts.deliveries DROP CONSTRAINT deliveries_state_check")
    op.execute(f"ALTER TABLE alerts.deliveries ADD CONSTRAINT deliveries_state_check CHECK (state IN {STATES})")
    op.execute("ALTER TABLE alerts.deliveries ADD COLUMN superseded_by text")


def downgrade() -> None:
    op.execute("UPDATE alerts.deliveries SET state = 'exhausted' WHERE state = 'superseded'")
    op.execute("ALTER TABLE alerts.deliveries DROP COLUMN superseded_by")
    op.execute("ALTER TABLE alerts.deliveries DROP CONSTRAINT deliveries_state_check")
    op.execute(
        "ALTER TABLE alerts.deliveries ADD CONSTRAINT deliveries_state_check"
        " CHECK (state IN ('pending', 'delivered', 'exhausted'))"
    )
    op.execute(
        "ALTER TABLE alerts.endpoints DROP COLUMN rate_per_minute, DROP COLUMN rate_full_at, DROP COLUMN coalesces"
    )
