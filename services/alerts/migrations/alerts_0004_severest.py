"""Find the severest issues first, and count them, without reading their documents: at 100,000 a page stays a page.

The two columns are made from the row itself, so a process of the version before goes on writing beside this one.
"""

from alembic import op

revision = "alerts_0004"
down_revision = "alerts_0003"
branch_labels = None
depends_on = None

COLUMNS = """
ALTER TABLE alerts.issues
    ADD COLUMN severity_rank smallint NOT NULL GENERATED ALWAYS AS (
        CASE severity WHEN 'critical' THEN 3 WHEN 'high' THEN 2 WHEN 'medium' THEN 1 ELSE 0 END) STORED,
    ADD COLUMN quiet boolean NOT NULL GENERATED ALWAYS AS ((document ->> 'loud_severity') IS NULL) STORED
"""
UNRESOLVED = """
CREATE INDEX issues_severest_unresolved ON alerts.issues (severity_rank DESC, last_at DESC, issue_id DESC)
    INCLUDE (state, severity, quiet, opened_at) WHERE state <> 'resolved'
"""
ALL = """
CREATE INDEX issues_severest ON alerts.issues (severity_rank DESC, last_at DESC, issue_id DESC)
    INCLUDE (state, severity, quiet, opened_at)
"""


def upgrade() -> None:
    for part in (COLUMNS, UNRESOLVED, ALL):
        op.execute(part)


def downgrade() -> None:
    op.execute("ALTER TABLE alerts.issues DROP COLUMN severity_rank, DROP COLUMN quiet")
