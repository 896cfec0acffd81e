"""Journeys of accounts: which touchpoints name an account, what they come to, and the timers of its deadlines.

Batches only append to `account_touchpoints`, so they never wait for one another nor for who projects an account.
"""

from alembic import op

revision = "journey_0012"
down_revision = "journey_0011"
branch_labels = None
depends_on = None

ACCOUNTS = """
CREATE TABLE journey.account_touchpoints (
    account_id    text COLLATE "C" NOT NULL,          -- refs.account_id
    occurred_at   timestamptz NOT NULL,
    source        text COLLATE "C" NOT NULL,
    touchpoint_id text COLLATE "C" NOT NULL,
    applied       boolean NOT NULL DEFAULT false,     -- the journeys of the account know it
    PRIMARY KEY (account_id, occurred_at, source, touchpoint_id)
) WITH (fillfactor = 80);
CREATE INDEX account_touchpoints_waiting ON journey.account_touchpoints (account_id) WHERE NOT applied;
COMMENT ON TABLE journey.account_touchpoints IS
    'Touchpoints that name an account and count: late ones do not. Written by the batch that applies them.';

CREATE TABLE journey.account_journeys (
    journey_id    uuid PRIMARY KEY,
    account_id    text COLLATE "C" NOT NULL,
    definition    text NOT NULL,
    source        text NOT NULL,                      -- of the touchpoint that entered it
    touchpoint_id text NOT NULL,
    channel       text NOT NULL,
    service_level text,
    version       integer NOT NULL,
    state         text NOT NULL CHECK (state IN ('open', 'closed', 'merged', 'dissolved')),
    entered_at    timestamptz NOT NULL,
    ended_at      timestamptz,
    merged_into   uuid,
    progress      json NOT NULL,
    digest        bytea NOT NULL,
    payload       json NOT NULL,                      -- journey v1 as published last
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX account_journeys_account ON journey.account_journeys (account_id, entered_at);
COMMENT ON TABLE journey.account_journeys IS 'Defined journeys of accounts; those that are gone keep their rows.';

CREATE TABLE journey.account_timers (
    timer_id      uuid NOT NULL,
    account_id    text COLLATE "C" NOT NULL,
    rule          text NOT NULL,
    source        text NOT NULL,                      -- the touchpoint that armed it
    touchpoint_id text NOT NULL,
    state         text NOT NULL CHECK (state IN ('pending', 'fired', 'cancelled')),
    due_at        timestamptz NOT NULL,
    appended_at   timestamptz NOT NULL,
    replay        boolean NOT NULL,
    PRIMARY KEY (account_id, timer_id)
) WITH (fillfactor = 80);
CREATE INDEX account_timers_pending ON journey.account_timers (due_at) WHERE state = 'pending';
COMMENT ON TABLE journey.account_timers IS 'Deadlines of journeys of accounts; fired when the stream has passed them.';
"""


def upgrade() -> None:
    op.execute(ACCOUNTS)


def downgrade() -> None:
    op.execute("DROP TABLE journey.account_timers, journey.account_journeys, journey.account_touchpoints")
