"""The push latency counts from when the revision of a friction was made, and no more from when it was first found.

What earlier releases wrote has `detected_at` alone; nothing writes that column any more.
"""

from alembic import op

revision = "alerts_0005"
down_revision = "alerts_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE alerts.notifications ADD COLUMN revised_at timestamptz")


def downgrade() -> None:
    op.execute("ALTER TABLE alerts.notifications DROP COLUMN revised_at")
