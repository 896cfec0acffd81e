"""Outbreaks: counts of frictions by minute, the outbreaks that there were, and which friction belongs to which.

Everything that a decision needs is a row, written in the transaction of the frictions. `held_by` of issues is made from
the row itself, so a process of the version before goes on writing beside this one.
"""

from alembic import op

revision = "alerts_0012"
down_revision = "alerts_0011"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE alerts.friction_counts (
    key    text NOT NULL,                             -- rule, reason, field and value, parted by U+001F
    minute timestamptz NOT NULL,                      -- in which they happened
    n      integer NOT NULL,
    held   integer NOT NULL DEFAULT 0,                -- of these, those of an outbreak that are not usual
    PRIMARY KEY (key, minute)
) WITH (fillfactor = 70);
CREATE INDEX friction_counts_minute ON alerts.friction_counts (minute);
COMMENT ON TABLE alerts.friction_counts IS 'How many frictions happened; what outbreaks are measured by.';

CREATE TABLE alerts.outbreak_keys (
    key text PRIMARY KEY
);
COMMENT ON TABLE alerts.outbreak_keys IS 'One row per key, locked by whoever decides about its outbreaks.';

CREATE TABLE alerts.outbreaks (
    outbreak_id uuid NOT NULL REFERENCES alerts.issues (issue_id) DEFERRABLE INITIALLY DEFERRED,
    started_at  timestamptz NOT NULL,                 -- the first minute of the window that opened it
    key         text NOT NULL,
    opened_at   timestamptz NOT NULL,
    over_at     timestamptz,
    usual       double precision NOT NULL,            -- in a window, when it opened
    opened_by   integer NOT NULL,                     -- how many in a window were a surge
    PRIMARY KEY (outbreak_id, opened_at)
);
CREATE UNIQUE INDEX outbreaks_open ON alerts.outbreaks (key) WHERE over_at IS NULL;
CREATE INDEX outbreaks_opened ON alerts.outbreaks (opened_at DESC);
COMMENT ON TABLE alerts.outbreaks IS 'What came beyond the usual, from when until when; at most one open for a key.';

CREATE TABLE alerts.outbreak_frictions (
    outbreak_id   uuid NOT NULL,
    friction_id   text NOT NULL,
    customer_id   text NOT NULL,
    channel       text NOT NULL,
    queue         text,
    product       text,
    service_level text,
    severity      text NOT NULL,
    minute        timestamptz NOT NULL,
    counted_at    timestamptz NOT NULL,
    PRIMARY KEY (outbreak_id, friction_id)
);
CREATE INDEX outbreak_frictions_friction ON alerts.outbreak_frictions (friction_id);
COMMENT ON TABLE alerts.outbreak_frictions IS 'Every friction of an outbreak that stands; its counts are counted here.';
"""
HELD = """
ALTER TABLE alerts.issues ADD COLUMN held_by text GENERATED ALWAYS AS (document ->> 'held_by') STORED
"""
WAITS = """
ALTER TABLE alerts.waits DROP CONSTRAINT waits_kind_check,
    ADD CONSTRAINT waits_kind_check CHECK (
        kind IN ('hours', 'silence', 'inhibition', 'outbreak', 'repeat', 'reroute'))
"""
INDEX = "CREATE INDEX issues_held ON alerts.issues (held_by) WHERE held_by IS NOT NULL"


def upgrade() -> None:
    for part in (TABLES, HELD, WAITS, INDEX):
        op.execute(part)


UNHELD = """
UPDATE alerts.waits SET kind = 'inhibition' WHERE kind = 'outbreak';
ALTER TABLE alerts.waits DROP CONSTRAINT waits_kind_check,
    ADD CONSTRAINT waits_kind_check CHECK (kind IN ('hours', 'silence', 'inhibition', 'repeat', 'reroute'));
"""


def downgrade() -> None:
    op.execute(UNHELD)
    op.execute("ALTER TABLE alerts.issues DROP COLUMN held_by")
    op.execute("DROP TABLE alerts.outbreak_frictions, alerts.outbreaks, alerts.outbreak_keys, alerts.friction_counts")
