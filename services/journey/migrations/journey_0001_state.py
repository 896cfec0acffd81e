"""The journey service's state: what was applied, who is who, what happened to them, and what must still be sent.

Progress stands beside the effects, so that both commit together. Everything about one customer can be
computed again from `touchpoints` (and from which `timers` have fired); the other tables are its projection.
Lock order of every writer: progress, seen, identifiers, customers, journeys, timers.
"""

from alembic import op

revision = "journey_0001"
down_revision = None
branch_labels = ("journey",)
depends_on = None

PROGRESS = """
CREATE SCHEMA IF NOT EXISTS journey;

CREATE TABLE journey.progress (
    line                text NOT NULL,                -- one life of a log: the cluster's id, or the broker's run
    topic               text NOT NULL,
    partition           integer NOT NULL,
    next_offset         bigint NOT NULL,              -- the first offset that is not applied
    epoch               bigint NOT NULL,              -- raised by every claim; a writer with an older one is fenced
    owner               text NOT NULL,
    last_hash           bytea,                        -- of the record at next_offset - 1: the log is still the same log
    applied_append_time timestamptz,                  -- broker's time of the record at next_offset - 1
    caught_up_at        timestamptz,                  -- everything appended before this database time is applied
    replay_append_time  timestamptz,                  -- broker's time of the last replayed record applied
    claimed_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (line, topic, partition)
) WITH (fillfactor = 50);
COMMENT ON TABLE journey.progress IS 'How far each partition is applied; the only authority, Kafka commits are a hint.';

CREATE TABLE journey.seen (
    source      text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    fingerprint bytea NOT NULL,                       -- of the content without what transport adds
    occurred_at timestamptz NOT NULL,                 -- so that it goes when its touchpoint's month goes
    PRIMARY KEY (source, id)
) PARTITION BY HASH (source, id);
COMMENT ON TABLE journey.seen IS 'Every touchpoint ever applied: the same id twice is a duplicate or a conflict.';
DO $$ BEGIN
    FOR n IN 0..7 LOOP
        EXECUTE format(
            'CREATE TABLE journey.seen_%s PARTITION OF journey.seen FOR VALUES WITH (MODULUS 8, REMAINDER %s)', n, n);
    END LOOP;
END $$;
"""

IDENTITY = """
CREATE TABLE journey.customers (
    customer_id      uuid PRIMARY KEY,
    seq              bigint GENERATED ALWAYS AS IDENTITY UNIQUE,   -- age: the lowest survives a merge
    created_at       timestamptz NOT NULL DEFAULT now(),
    merged_into      uuid REFERENCES journey.customers (customer_id),   -- always a survivor, never a chain
    merged_at        timestamptz,
    version          bigint NOT NULL DEFAULT 1,       -- raised by every change of anything about this customer
    service_level    text,
    first_at         timestamptz,                     -- earliest and latest touchpoint
    last_at          timestamptz,
    identifier_count integer NOT NULL DEFAULT 0,      -- with those of the customers absorbed
    merge_count      integer NOT NULL DEFAULT 0,      -- customers absorbed
    CHECK ((merged_into IS NULL) = (merged_at IS NULL)),
    CHECK (merged_into IS DISTINCT FROM customer_id)
) WITH (fillfactor = 80);
CREATE INDEX customers_merged_into ON journey.customers (merged_into) WHERE merged_into IS NOT NULL;
COMMENT ON TABLE journey.customers IS 'People as we believe them to be; an absorbed one keeps its id as an alias.';

CREATE TABLE journey.identifiers (
    type        text COLLATE "C" NOT NULL,            -- C: the order in which the workers sort and lock
    value       text COLLATE "C" NOT NULL,
    customer_id uuid REFERENCES journey.customers (customer_id),   -- null only inside the transaction that makes it
    verified    boolean NOT NULL DEFAULT false,
    first_seen  timestamptz NOT NULL,                 -- by event time
    last_seen   timestamptz NOT NULL,
    PRIMARY KEY (type, value)
) WITH (fillfactor = 80);
CREATE INDEX identifiers_customer ON journey.identifiers (customer_id);
COMMENT ON TABLE journey.identifiers IS 'Which customer an identifier points to, perhaps through one merged_into.';

CREATE TABLE journey.links (
    left_type     text COLLATE "C" NOT NULL,
    left_value    text COLLATE "C" NOT NULL,
    right_type    text COLLATE "C" NOT NULL,
    right_value   text COLLATE "C" NOT NULL,
    state         text NOT NULL CHECK (state IN ('active', 'quarantined', 'retracted')),
    reason        text NOT NULL,                      -- why it counts, or why it does not
    verified      boolean NOT NULL DEFAULT false,
    source        text NOT NULL,                      -- evidence: the touchpoint that carried both first
    touchpoint_id text NOT NULL,
    occurred_at   timestamptz NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    changed_at    timestamptz NOT NULL DEFAULT now(),
    changed_by    text,                               -- who retracted or restored it, where a person did
    PRIMARY KEY (left_type, left_value, right_type, right_value),
    CHECK ((left_type, left_value) < (right_type, right_value))
);
CREATE INDEX links_right ON journey.links (right_type, right_value);
CREATE INDEX links_retracted ON journey.links (left_type, left_value) WHERE state = 'retracted';
COMMENT ON TABLE journey.links IS 'The ledger of identifiers seen together; customers are its components.';

CREATE TABLE journey.merges (
    absorbed      uuid PRIMARY KEY REFERENCES journey.customers (customer_id),
    survivor      uuid NOT NULL REFERENCES journey.customers (customer_id),
    source        text NOT NULL,                      -- the touchpoint that joined them
    touchpoint_id text NOT NULL,
    merged_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX merges_survivor ON journey.merges (survivor);
COMMENT ON TABLE journey.merges IS 'Which customer was absorbed by which, and on what evidence.';
"""

TOUCHPOINTS = """
CREATE TABLE journey.touchpoints (
    source      text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    customer_id uuid NOT NULL,
    journey_id  uuid,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    appended_at timestamptz NOT NULL,                 -- broker's time of its record
    sequence    bigint NOT NULL DEFAULT 0,
    channel     text NOT NULL,
    kind        text NOT NULL,
    late        boolean NOT NULL DEFAULT false,       -- kept as history, not projected
    replay      boolean NOT NULL DEFAULT false,
    payload     json NOT NULL,                        -- touchpoint v1, as published
    PRIMARY KEY (source, id, occurred_at)
) PARTITION BY RANGE (occurred_at);
CREATE INDEX touchpoints_customer ON journey.touchpoints (customer_id, occurred_at);
CREATE TABLE journey.touchpoints_default PARTITION OF journey.touchpoints DEFAULT;
COMMENT ON TABLE journey.touchpoints IS 'The facts, one row each, by month of when they happened.';

CREATE FUNCTION journey.ensure_months(first_month date, last_month date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    month date := date_trunc('month', first_month)::date;
    name  text;
    made  integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('journey.ensure_months'));
    WHILE month <= last_month LOOP
        name := 'touchpoints_' || to_char(month, 'YYYY_MM');
        IF to_regclass('journey.' || name) IS NULL THEN
            CREATE TEMP TABLE moved ON COMMIT DROP AS
                SELECT * FROM journey.touchpoints_default
                 WHERE occurred_at >= month::timestamp AT TIME ZONE 'UTC'
                   AND occurred_at < (month + interval '1 month') AT TIME ZONE 'UTC';
            DELETE FROM journey.touchpoints_default
             WHERE occurred_at >= month::timestamp AT TIME ZONE 'UTC'
               AND occurred_at < (month + interval '1 month') AT TIME ZONE 'UTC';
            EXECUTE format(
                'CREATE TABLE journey.%I PARTITION OF journey.touchpoints FOR VALUES FROM (%L) TO (%L)',
                name, month::text || ' 00:00:00+00', (month + interval '1 month')::date::text || ' 00:00:00+00');
            INSERT INTO journey.touchpoints SELECT * FROM moved;
            DROP TABLE moved;
            made := made + 1;
        END IF;
        month := (month + interval '1 month')::date;
    END LOOP;
    RETURN made;
END $$;
COMMENT ON FUNCTION journey.ensure_months IS 'Create monthly partitions, moving rows out of the default.';
SELECT journey.ensure_months((now() - interval '3 months')::date, (now() + interval '6 months')::date);
"""

PROJECTION = """
CREATE TABLE journey.journeys (
    journey_id      uuid PRIMARY KEY,
    customer_id     uuid NOT NULL,
    version         bigint NOT NULL,
    state           text NOT NULL CHECK (state IN ('open', 'closed')),
    reason          text,
    started_at      timestamptz NOT NULL,
    last_at         timestamptz NOT NULL,
    closed_at       timestamptz,
    effort          real NOT NULL DEFAULT 0,          -- 0 to 100
    effort_parts    json NOT NULL DEFAULT '[]',       -- [{"factor", "count", "points"}, ...], heaviest first
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    digest          bytea NOT NULL,                   -- of what the projection says, to see a change cheaply
    payload         json NOT NULL                     -- journey v1
) WITH (fillfactor = 70);
CREATE INDEX journeys_customer ON journey.journeys (customer_id, started_at);
CREATE INDEX journeys_open ON journey.journeys (last_at) WHERE state = 'open';
CREATE INDEX journeys_created ON journey.journeys (created_at, journey_id);
COMMENT ON TABLE journey.journeys IS 'Stories of customers towards one end.';

CREATE TABLE journey.journey_aliases (
    journey_id  uuid PRIMARY KEY,                     -- an id that was given out once
    merged_into uuid,                                 -- null: dissolved, a tombstone
    customer_id uuid NOT NULL,
    changed_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX journey_aliases_customer ON journey.journey_aliases (customer_id);
CREATE INDEX journey_aliases_merged_into ON journey.journey_aliases (merged_into) WHERE merged_into IS NOT NULL;

CREATE TABLE journey.frictions (
    friction_id  uuid PRIMARY KEY,                    -- of rule and anchor alone
    customer_id  uuid NOT NULL,
    journey_id   uuid,
    rule         text NOT NULL,
    rule_version integer NOT NULL,
    state        text NOT NULL CHECK (state IN ('detected', 'retracted')),
    revision     bigint NOT NULL,                     -- raised by every change; readers keep the highest
    severity     text NOT NULL,
    channel      text NOT NULL,
    occurred_at  timestamptz NOT NULL,                -- event time of the anchor
    detected_at  timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL DEFAULT now(),
    quiet        boolean NOT NULL DEFAULT false,
    digest       bytea NOT NULL,                      -- of what the projection says, to see a change cheaply
    payload      json NOT NULL                        -- friction v1, as last published
) WITH (fillfactor = 80);
CREATE INDEX frictions_customer ON journey.frictions (customer_id, occurred_at);
CREATE INDEX frictions_detected ON journey.frictions (detected_at, friction_id);
CREATE INDEX frictions_journey ON journey.frictions (journey_id);

CREATE TABLE journey.timers (
    timer_id      uuid PRIMARY KEY,                   -- of rule and arming touchpoint
    customer_id   uuid NOT NULL,
    rule          text NOT NULL,
    source        text NOT NULL,                      -- the touchpoint that armed it
    touchpoint_id text NOT NULL,
    state         text NOT NULL CHECK (state IN ('pending', 'fired', 'cancelled')),
    due_at        timestamptz NOT NULL,
    appended_at   timestamptz NOT NULL,               -- broker's time of the arming record
    replay        boolean NOT NULL DEFAULT false,     -- armed by a replayed touchpoint: waits for the import to end
    updated_at    timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 80);
CREATE INDEX timers_pending ON journey.timers (due_at) WHERE state = 'pending';
CREATE INDEX timers_customer ON journey.timers (customer_id);
COMMENT ON TABLE journey.timers IS 'Follow-ups that must not stay away; fired when the stream has passed the due time.';

CREATE TABLE journey.rule_failures (
    rule         text NOT NULL,
    customer_id  uuid NOT NULL,
    rule_version integer NOT NULL,
    error        text NOT NULL,                       -- the exception's type, never its text
    failures     bigint NOT NULL DEFAULT 1,
    first_seen   timestamptz NOT NULL DEFAULT now(),
    last_seen    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (rule, customer_id)
);
COMMENT ON TABLE journey.rule_failures IS 'Customers for whom a rule raised: to be evaluated again once it is mended.';
"""

EDGES = """
CREATE TABLE journey.outbox (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic          text NOT NULL,
    key            bytea NOT NULL,
    customer_id    uuid NOT NULL,                     -- rows of one customer leave in the order of their ids
    headers        json NOT NULL,                     -- [[name, value], ...]
    value          bytea,                             -- null: a tombstone on a compacted topic
    created_at     timestamptz NOT NULL DEFAULT now(),
    lease_until    timestamptz,
    published_at   timestamptz,
    published_line text                               -- the life of the log it was written to
) WITH (fillfactor = 70);
CREATE INDEX outbox_unpublished ON journey.outbox (customer_id, id) WHERE published_at IS NULL;
CREATE INDEX outbox_waiting ON journey.outbox (id) WHERE published_at IS NULL;
CREATE INDEX outbox_published ON journey.outbox (published_at) WHERE published_at IS NOT NULL;
COMMENT ON TABLE journey.outbox IS 'Records to publish; kept 30 days after, and published again on a new line.';

CREATE TABLE journey.dead_letters (
    line          text NOT NULL,
    topic         text NOT NULL,
    partition     integer NOT NULL,
    "offset"      bigint NOT NULL,
    code          text NOT NULL,                      -- why it was refused
    errors        json NOT NULL DEFAULT '[]',         -- [{"path", "message"}, ...]
    source        text,                               -- where they could be read
    touchpoint_id text,
    key           bytea,
    value         bytea,                              -- as it stood in the log
    headers       json NOT NULL DEFAULT '[]',         -- [[name, base64 value], ...]
    appended_at   timestamptz NOT NULL,
    first_seen    timestamptz NOT NULL DEFAULT now(),
    requeued_at   timestamptz,
    PRIMARY KEY (line, topic, partition, "offset")
);
CREATE INDEX dead_letters_first_seen ON journey.dead_letters (first_seen);
COMMENT ON TABLE journey.dead_letters IS 'Records that can never be applied; written as they are passed over.';

CREATE TABLE journey.api_keys (
    key_id       text PRIMARY KEY,
    kind         text NOT NULL CHECK (kind IN ('reader', 'agent', 'admin')),
    secret_hash  bytea NOT NULL CHECK (octet_length(secret_hash) = 32),
    label        text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz
);
COMMENT ON TABLE journey.api_keys IS 'Hashed keys of the read API.';
"""


def upgrade() -> None:
    for part in (PROGRESS, IDENTITY, TOUCHPOINTS, PROJECTION, EDGES):
        op.execute(part)


def downgrade() -> None:
    op.execute("DROP SCHEMA journey CASCADE")
