"""A touchpoint of an open journey moves no index.

`last_at` was indexed to find journeys that went idle, so each touchpoint wrote all indexes of its journey anew. What is
indexed now stays while touchpoints come: it is when the journey goes idle at the earliest, put off only when it is due.
A worker of the version before, which does not know the column, leaves what looks due at once and is then put off.
"""

from alembic import op

revision = "journey_0004"
down_revision = "journey_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE journey.journeys ADD COLUMN quiet_since timestamptz NOT NULL DEFAULT '-infinity'")
    op.execute("UPDATE journey.journeys SET quiet_since = last_at WHERE state = 'open'")
    op.execute(
        "COMMENT ON COLUMN journey.journeys.quiet_since IS"
        " 'Not later than last_at, and brought up to it when it says that the journey may be idle.'"
    )
    op.execute("DROP INDEX journey.journeys_open")
    op.execute("CREATE INDEX journeys_open ON journey.journeys (quiet_since) WHERE state = 'open'")


def downgrade() -> None:
    op.execute("DROP INDEX journey.journeys_open")
    op.execute("ALTER TABLE journey.journeys DROP COLUMN quiet_since")
    op.execute("CREATE INDEX journeys_open ON journey.journeys (last_at) WHERE state = 'open'")
