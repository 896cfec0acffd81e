"""What is known of journeys, so that an open issue says what happened since.

A row without a document waits for its journey: a friction named it first. `journey_id` of issues is made from the row
itself, so a process of the version before goes on writing beside this one.
"""

from alembic import op

revision = "alerts_0007"
down_revision = "alerts_0006"
branch_labels = None
depends_on = None

JOURNEYS = """
CREATE TABLE alerts.journeys (
    journey_id  text PRIMARY KEY,
    version     bigint NOT NULL,                      -- the highest that was read; 0, none yet
    merged_into text,                                 -- the journey that holds its touchpoints now
    document    json,                                 -- what an issue may say of it
    updated_at  timestamptz NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX journeys_merged ON alerts.journeys (merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX journeys_updated ON alerts.journeys (updated_at);
COMMENT ON TABLE alerts.journeys IS 'Journeys in which there was friction, at their highest version.';
"""
ISSUES = """
ALTER TABLE alerts.issues ADD COLUMN journey_id text GENERATED ALWAYS AS (document ->> 'journey_id') STORED
"""
INDEX = """
CREATE INDEX issues_journey ON alerts.issues (journey_id) WHERE state <> 'resolved' AND journey_id IS NOT NULL
"""


def upgrade() -> None:
    for part in (JOURNEYS, ISSUES, INDEX):
        op.execute(part)


def downgrade() -> None:
    op.execute("ALTER TABLE alerts.issues DROP COLUMN journey_id")
    op.execute("DROP TABLE alerts.journeys")
