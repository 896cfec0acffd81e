"""Escalations under way: the snapshot of the policy, the step that is due next, and when."""

from alembic import op

revision = "alerts_0011"
down_revision = "alerts_0010"
branch_labels = None
depends_on = None

ESCALATIONS = """
CREATE TABLE alerts.escalations (
    issue_id   uuid NOT NULL,
    route_id   uuid NOT NULL,                               -- zero: the catch-all endpoints
    policy     json NOT NULL,                               -- the steps as they were when it began
    step       integer NOT NULL,                            -- the one that is due next, from 0
    round      integer NOT NULL,
    due_at     timestamptz NOT NULL,
    started_at timestamptz NOT NULL,
    PRIMARY KEY (issue_id, route_id)
) WITH (fillfactor = 70);
CREATE INDEX escalations_due ON alerts.escalations (due_at);
COMMENT ON TABLE alerts.escalations IS 'Who is told next of an issue that nobody acknowledges.';
"""


def upgrade() -> None:
    op.execute("ALTER TABLE alerts.policy_settings ADD COLUMN escalations json NOT NULL DEFAULT '[]'")
    op.execute(ESCALATIONS)


def downgrade() -> None:
    op.execute("DROP TABLE alerts.escalations")
    op.execute("ALTER TABLE alerts.policy_settings DROP COLUMN escalations")
