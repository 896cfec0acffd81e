"""Owners by rule as a part of the policy."""

from alembic import op

revision = "alerts_0018"
down_revision = "alerts_0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE alerts.policy_settings ADD COLUMN owners json")


def downgrade() -> None:
    op.execute("ALTER TABLE alerts.policy_settings DROP COLUMN owners")
