"""What comes after a resolution: watches, and the contacts of customers who are watched.

A watch is a row from the transaction that resolves its issue on; what became of it is worked out anew from frictions
and journeys whenever one of its customer changes, and when its time is over.
"""

from alembic import op

revision = "alerts_0014"
down_revision = "alerts_0013"
branch_labels = None
depends_on = None

WATCHES = """
CREATE TABLE alerts.watches (
    watch_id      uuid PRIMARY KEY,
    document      json NOT NULL,                      -- the watch; the columns below are taken from it, for searching
    issue_id      uuid NOT NULL,
    customer_id   text NOT NULL,
    resolved_at   timestamptz NOT NULL,
    until_at      timestamptz NOT NULL,
    recheck_until timestamptz NOT NULL,               -- late touchpoints may change it until then
    state         text NOT NULL CHECK (state IN ('watching', 'held', 'recontacted', 'void')),
    outcome       text NOT NULL,
    team          text,
    rules         text[] NOT NULL,
    gesture       text,
    UNIQUE (issue_id, resolved_at)
) WITH (fillfactor = 80);
CREATE INDEX watches_customer ON alerts.watches (customer_id, recheck_until);
CREATE INDEX watches_ending ON alerts.watches (until_at) WHERE state = 'watching';
CREATE INDEX watches_resolved ON alerts.watches (resolved_at DESC, watch_id DESC);
COMMENT ON TABLE alerts.watches IS 'The time after each resolution: did the customer have to come back?';

CREATE TABLE alerts.watched_contacts (
    journey_id    text NOT NULL,
    at            timestamptz NOT NULL,
    kind          text NOT NULL,
    contact_count integer NOT NULL,                   -- of the journey, when it was read
    PRIMARY KEY (journey_id, at, kind)
);
CREATE INDEX watched_contacts_at ON alerts.watched_contacts (at);
COMMENT ON TABLE alerts.watched_contacts IS 'Contacts of watched customers: a journey tells only of its latest ones.';
"""
JOURNEYS = """
ALTER TABLE alerts.journeys ADD COLUMN customer_id text GENERATED ALWAYS AS (document ->> 'customer_id') STORED
"""
INDEX = "CREATE INDEX journeys_customer ON alerts.journeys (customer_id) WHERE customer_id IS NOT NULL"


def upgrade() -> None:
    for part in (WATCHES, JOURNEYS, INDEX):
        op.execute(part)


def downgrade() -> None:
    op.execute("ALTER TABLE alerts.journeys DROP COLUMN customer_id")
    op.execute("DROP TABLE alerts.watches, alerts.watched_contacts")
