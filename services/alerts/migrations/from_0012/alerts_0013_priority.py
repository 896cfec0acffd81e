"""The priority of issues: the order of the inbox, and when the next step of each is.

Both columns are made from the row itself, so a process of the version before goes on writing beside this one.
"""

from alembic import op

revision = "alerts_0013"
down_revision = "alerts_0012"
branch_labels = None
depends_on = None

COLUMNS = """
ALTER TABLE alerts.issues
    ADD COLUMN priority smallint NOT NULL GENERATED ALWAYS AS (
        coalesce((document -> 'priority' ->> 'score')::smallint, 0)) STORED,
    ADD COLUMN priority_next_s bigint GENERATED ALWAYS AS ((document -> 'priority' ->> 'next_at_s')::bigint) STORED
"""
UNRESOLVED = """
CREATE INDEX issues_urgent_unresolved ON alerts.issues (priority DESC, last_at DESC, issue_id DESC)
    WHERE state <> 'resolved'
"""
ALL = "CREATE INDEX issues_urgent ON alerts.issues (priority DESC, last_at DESC, issue_id DESC)"
NEXT = "CREATE INDEX issues_priority_next ON alerts.issues (priority_next_s) WHERE state <> 'resolved'"


def upgrade() -> None:
    for part in (COLUMNS, UNRESOLVED, ALL, NEXT):
        op.execute(part)


def downgrade() -> None:
    op.execute("ALTER TABLE alerts.issues DROP COLUMN priority, DROP COLUMN priority_next_s")
