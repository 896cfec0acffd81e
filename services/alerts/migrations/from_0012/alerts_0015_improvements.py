"""The register of improvements: what was proposed and estimated, how it was decided, and what it brought."""

from alembic import op

revision = "alerts_0015"
down_revision = "alerts_0014"
branch_labels = None
depends_on = None

IMPROVEMENTS = """
CREATE TABLE alerts.improvements (
    improvement_id uuid PRIMARY KEY,
    document       json NOT NULL,                     -- the improvement; the columns below are taken from it
    state          text NOT NULL CHECK (state IN ('proposed', 'accepted', 'declined', 'done', 'measured')),
    proposed_at    timestamptz NOT NULL,
    measure_at     timestamptz                        -- when what it brought is measured for good
);
CREATE INDEX improvements_due ON alerts.improvements (measure_at) WHERE state = 'done';
COMMENT ON TABLE alerts.improvements IS 'Proposals to remove a cause of friction, with their history.';
"""


def upgrade() -> None:
    op.execute(IMPROVEMENTS)


def downgrade() -> None:
    op.execute("DROP TABLE alerts.improvements")
