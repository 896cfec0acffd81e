"""What people said about the issues of rules: useful or noise, kept by rule and version of the rule."""

from alembic import op

revision = "alerts_0023"
down_revision = "alerts_0021"
branch_labels = None
depends_on = None

FEEDBACK = """
CREATE TABLE alerts.rule_feedback (
    issue_id     uuid NOT NULL REFERENCES alerts.issues (issue_id) ON DELETE CASCADE,
    rule         text NOT NULL,
    rule_version integer NOT NULL,
    said         text NOT NULL CHECK (said IN ('useful', 'noise')),
    implied      boolean NOT NULL,                    -- by the outcome; nobody said so in as many words
    said_by      text NOT NULL,
    said_at      timestamptz NOT NULL,
    PRIMARY KEY (issue_id, rule, rule_version)
);
CREATE INDEX rule_feedback_at ON alerts.rule_feedback (said_at);
COMMENT ON TABLE alerts.rule_feedback IS
    'What was said last about an issue, for each rule and version that it stood on.';
"""


def upgrade() -> None:
    op.execute(FEEDBACK)


def downgrade() -> None:
    op.execute("DROP TABLE alerts.rule_feedback")
