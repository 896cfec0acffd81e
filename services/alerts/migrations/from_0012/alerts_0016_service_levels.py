"""Service levels as a part of the policy; without any, those that Waymark comes with are in force."""

from alembic import op

revision = "alerts_0016"
down_revision = "alerts_0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE alerts.policy_settings ADD COLUMN service_levels json")


def downgrade() -> None:
    op.execute("ALTER TABLE alerts.policy_settings DROP COLUMN service_levels")
