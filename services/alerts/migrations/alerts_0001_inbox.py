"""The alert service's state: what was read, the issues it made, who is to be told, and what was sent to whom.

Progress stands beside the effects, so that both commit together. Lock order of every writer: progress,
frictions (by id), fingerprints (sorted), issues (by id), endpoints. Times are parameters, never `now()`: the service's
clock decides, so that tests can move it; a default of `now()` marks rows that no decision reads.
"""

from alembic import op

revision = "alerts_0001"
down_revision = None
branch_labels = ("alerts",)
depends_on = None

INTAKE = """
CREATE SCHEMA IF NOT EXISTS alerts;

CREATE TABLE alerts.progress (
    line        text NOT NULL,                        -- one life of a log: the cluster's id, or the broker's run
    topic       text NOT NULL,
    partition   integer NOT NULL,
    next_offset bigint NOT NULL CHECK (next_offset >= 0),  -- the first offset that is not applied
    epoch       bigint NOT NULL,                      -- raised by every claim; a lower one may not write
    owner       text NOT NULL,
    last_hash   bytea,                                -- of the record before next_offset, compared after a claim
    claimed_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (line, topic, partition)
) WITH (fillfactor = 50);
COMMENT ON TABLE alerts.progress IS 'How far each partition is applied; written in the transaction of its effects.';

CREATE TABLE alerts.dead_letters (
    line       text NOT NULL,
    topic      text NOT NULL,
    partition  integer NOT NULL,
    "offset"   bigint NOT NULL,
    code       text NOT NULL,                         -- why it was refused
    errors     json NOT NULL DEFAULT '[]',            -- [{"path", "message"}, ...]
    key        bytea,
    value      bytea,                                 -- as it stood in the log
    headers    json NOT NULL DEFAULT '[]',            -- [[name, base64 value], ...]
    first_seen timestamptz NOT NULL,
    requeued_at timestamptz,                          -- set by `waymark dlq requeue`
    PRIMARY KEY (line, topic, partition, "offset")
);
COMMENT ON TABLE alerts.dead_letters IS 'Frictions that can never be applied; written as they are passed over.';
"""

ISSUES = """
CREATE TABLE alerts.fingerprints (
    fingerprint text PRIMARY KEY,
    occurrences integer NOT NULL DEFAULT 0            -- issues that this fingerprint has had
) WITH (fillfactor = 70);
COMMENT ON TABLE alerts.fingerprints IS 'One row per group, locked by whoever decides about its issues.';

CREATE TABLE alerts.issues (
    issue_id        uuid PRIMARY KEY,
    document        json NOT NULL,                    -- the issue; the columns below are taken from it, for searching
    fingerprint     text NOT NULL,
    occurrence      integer NOT NULL,                 -- 1 for the first issue of its fingerprint
    version         bigint NOT NULL,                  -- raised by every change; readers keep the highest
    state           text NOT NULL CHECK (state IN ('open', 'acknowledged', 'resolved')),
    severity        text NOT NULL CHECK (severity IN ('low', 'medium', 'high', 'critical')),
    rules           text[] NOT NULL,
    customer_id     text NOT NULL,
    channel         text NOT NULL,
    count           integer NOT NULL CHECK (count >= 0),  -- frictions that stand
    last_at         timestamptz NOT NULL,             -- event time of the latest of them
    opened_at       timestamptz NOT NULL,
    acknowledged_at timestamptz,
    resolved_at     timestamptz,
    snoozed_until   timestamptz,
    merged_into     uuid REFERENCES alerts.issues (issue_id) DEFERRABLE INITIALLY DEFERRED,
    updated_at      timestamptz NOT NULL,
    CHECK ((state = 'resolved') = (resolved_at IS NOT NULL)),
    CHECK (merged_into IS NULL OR state = 'resolved')
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX issues_one_unresolved ON alerts.issues (fingerprint) WHERE state <> 'resolved';
CREATE INDEX issues_fingerprint ON alerts.issues (fingerprint, opened_at);
CREATE INDEX issues_by_change ON alerts.issues (last_at DESC, issue_id DESC);
CREATE INDEX issues_unresolved ON alerts.issues (last_at DESC, issue_id DESC) WHERE state <> 'resolved';
CREATE INDEX issues_customer ON alerts.issues (customer_id);
CREATE INDEX issues_snoozed ON alerts.issues (snoozed_until) WHERE snoozed_until IS NOT NULL;
COMMENT ON TABLE alerts.issues IS 'What stays open until a team resolves it; at most one unresolved per fingerprint.';

CREATE TABLE alerts.frictions (
    friction_id text PRIMARY KEY,
    revision    bigint NOT NULL,                      -- the highest that was read
    state       text NOT NULL CHECK (state IN ('detected', 'retracted', 'awaited')),
    issue_id    uuid REFERENCES alerts.issues (issue_id) DEFERRABLE INITIALLY DEFERRED,
    document    json,                                 -- friction v1, as read
    first_seen  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    CHECK (state <> 'detected' OR issue_id IS NOT NULL)
) WITH (fillfactor = 80);
CREATE INDEX frictions_issue ON alerts.frictions (issue_id) WHERE issue_id IS NOT NULL;
COMMENT ON TABLE alerts.frictions IS 'Each friction at its highest revision; a detected one is on exactly one issue.';

CREATE TABLE alerts.issue_events (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issue_id uuid NOT NULL REFERENCES alerts.issues (issue_id) DEFERRABLE INITIALLY DEFERRED,
    version  bigint NOT NULL,
    at       timestamptz NOT NULL,
    actor    text NOT NULL,                           -- label of the key that acted, or `waymark`
    kind     text NOT NULL,
    detail   json NOT NULL DEFAULT '{}'
);
CREATE INDEX issue_events_issue ON alerts.issue_events (issue_id, id);
CREATE FUNCTION alerts.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'alerts.% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER issue_events_append_only BEFORE UPDATE OR TRUNCATE ON alerts.issue_events
    FOR EACH STATEMENT EXECUTE FUNCTION alerts.refuse_change();
COMMENT ON TABLE alerts.issue_events IS 'The audit: who did what to an issue, and why; rows are never changed.';
"""

PEOPLE = """
CREATE TABLE alerts.teams (
    team_id    uuid PRIMARY KEY,
    name       text NOT NULL UNIQUE,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE alerts.endpoints (
    endpoint_id          uuid PRIMARY KEY,
    team_id              uuid REFERENCES alerts.teams (team_id),
    name                 text NOT NULL,
    kind                 text NOT NULL CHECK (kind IN ('standard_webhook')),
    url                  text NOT NULL,
    catch_all            boolean NOT NULL DEFAULT false,
    enabled              boolean NOT NULL DEFAULT true,
    disabled_reason      text,                        -- by_hand, gone, failing
    disabled_at          timestamptz,
    max_in_flight        integer NOT NULL DEFAULT 8 CHECK (max_in_flight BETWEEN 1 AND 64),
    consecutive_failures integer NOT NULL DEFAULT 0,
    failing_since        timestamptz,                 -- the first failure since the last success
    paused_until         timestamptz,                 -- the breaker is open, or the receiver asked for a pause
    last_success_at      timestamptz,
    created_at           timestamptz NOT NULL,
    updated_at           timestamptz NOT NULL,
    deleted_at           timestamptz                  -- kept for the deliveries that name it
) WITH (fillfactor = 70);
CREATE INDEX endpoints_team ON alerts.endpoints (team_id);
COMMENT ON TABLE alerts.endpoints IS 'Where teams are reached, and how each is doing.';

CREATE TABLE alerts.endpoint_secrets (
    secret_id   uuid PRIMARY KEY,
    endpoint_id uuid NOT NULL REFERENCES alerts.endpoints (endpoint_id),
    material    bytea NOT NULL CHECK (octet_length(material) = 32),
    master_key  text,                                 -- that turns the material into the secret; null, it is one
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz                           -- signs until then, beside its successor
);
CREATE INDEX endpoint_secrets_endpoint ON alerts.endpoint_secrets (endpoint_id);
COMMENT ON TABLE alerts.endpoint_secrets IS 'What signing secrets are derived from.';

CREATE TABLE alerts.routes (
    route_id  uuid PRIMARY KEY,
    position  integer NOT NULL,                       -- lower is asked first
    name      text NOT NULL,
    matchers  json NOT NULL DEFAULT '{}',             -- rules, min_severity, service_levels, channels, reasons
    endpoints uuid[] NOT NULL DEFAULT '{}',
    teams     uuid[] NOT NULL DEFAULT '{}',           -- every endpoint of these
    continues boolean NOT NULL DEFAULT false,         -- a match does not end the search
    enabled   boolean NOT NULL DEFAULT true,
    updated_at timestamptz NOT NULL
);
CREATE INDEX routes_position ON alerts.routes (position, route_id);

CREATE TABLE alerts.route_versions (
    version  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       timestamptz NOT NULL,
    actor    text NOT NULL,
    change   text NOT NULL,
    document json NOT NULL                            -- all routes, as they stood after the change
);
COMMENT ON TABLE alerts.route_versions IS 'Every state that the routes were ever in; notifications name theirs.';

CREATE TABLE alerts.endpoint_events (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    endpoint_id uuid NOT NULL REFERENCES alerts.endpoints (endpoint_id),
    at          timestamptz NOT NULL,
    actor       text NOT NULL,
    kind        text NOT NULL,
    detail      json NOT NULL DEFAULT '{}'
);
CREATE INDEX endpoint_events_endpoint ON alerts.endpoint_events (endpoint_id, id);
CREATE TRIGGER endpoint_events_append_only BEFORE UPDATE OR TRUNCATE ON alerts.endpoint_events
    FOR EACH STATEMENT EXECUTE FUNCTION alerts.refuse_change();

CREATE TABLE alerts.api_keys (
    key_id       text PRIMARY KEY,
    kind         text NOT NULL CHECK (kind IN ('reader', 'agent', 'admin')),
    secret_hash  bytea NOT NULL CHECK (octet_length(secret_hash) = 32),
    label        text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz
);
COMMENT ON TABLE alerts.api_keys IS 'Hashed keys of the API; the label is the actor in the audit.';
"""

DELIVERY = """
CREATE TABLE alerts.notifications (
    notification_id uuid PRIMARY KEY,
    issue_id        uuid REFERENCES alerts.issues (issue_id) DEFERRABLE INITIALLY DEFERRED,
    sequence        bigint NOT NULL,                  -- 1, 2, … within the issue
    type            text NOT NULL,                    -- issue.opened, issue.updated, …
    reason          text NOT NULL,                    -- why anybody is told
    route_version   bigint,
    body            bytea NOT NULL,                   -- the bytes that are signed and sent
    detected_at     timestamptz,                      -- of the friction that caused it; for the push latency
    created_at      timestamptz NOT NULL,
    UNIQUE (issue_id, sequence)
);
COMMENT ON TABLE alerts.notifications IS 'One thing to tell; its bytes never change.';

CREATE TABLE alerts.deliveries (
    delivery_id     text PRIMARY KEY,                 -- the webhook-id
    notification_id uuid NOT NULL REFERENCES alerts.notifications (notification_id),
    endpoint_id     uuid NOT NULL REFERENCES alerts.endpoints (endpoint_id),
    issue_id        uuid,
    sequence        bigint NOT NULL,
    state           text NOT NULL CHECK (state IN ('pending', 'delivered', 'exhausted')),
    step            integer NOT NULL DEFAULT 0,       -- how far down the retry ladder
    attempt         integer NOT NULL DEFAULT 0,       -- times claimed; the fence of a result
    next_at         timestamptz NOT NULL,
    lease_until     timestamptz,
    lease_owner     text,
    created_at      timestamptz NOT NULL,
    delivered_at    timestamptz,
    UNIQUE (notification_id, endpoint_id)
) WITH (fillfactor = 70);
CREATE INDEX deliveries_due ON alerts.deliveries (endpoint_id, next_at) WHERE state = 'pending';
CREATE INDEX deliveries_line ON alerts.deliveries (endpoint_id, issue_id, sequence) WHERE state = 'pending';
CREATE INDEX deliveries_leased ON alerts.deliveries (endpoint_id) WHERE state = 'pending' AND lease_until IS NOT NULL;
CREATE INDEX deliveries_issue ON alerts.deliveries (issue_id, sequence);
CREATE INDEX deliveries_created ON alerts.deliveries (endpoint_id, created_at DESC, delivery_id DESC);
COMMENT ON TABLE alerts.deliveries IS 'One notification for one endpoint; claimed by lease, oldest of an issue first.';

CREATE TABLE alerts.attempts (
    delivery_id text NOT NULL REFERENCES alerts.deliveries (delivery_id) ON DELETE CASCADE,
    attempt     integer NOT NULL,
    at          timestamptz NOT NULL,
    outcome     text NOT NULL,
    reason      text NOT NULL,
    status      integer,
    seconds     double precision NOT NULL,
    excerpt     text NOT NULL DEFAULT '',             -- first KiB of the answer; untrusted
    PRIMARY KEY (delivery_id, attempt)
);
CREATE INDEX attempts_at ON alerts.attempts (at);
COMMENT ON TABLE alerts.attempts IS 'Each try, and what the receiver said.';

CREATE TABLE alerts.issue_outbox (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issue_id       uuid NOT NULL,
    version        bigint NOT NULL,
    value          bytea NOT NULL,                    -- issue v1
    created_at     timestamptz NOT NULL,
    published_at   timestamptz,
    published_line text                               -- the life of the log it was written to
) WITH (fillfactor = 70);
CREATE INDEX issue_outbox_unpublished ON alerts.issue_outbox (id) WHERE published_at IS NULL;
CREATE INDEX issue_outbox_issue ON alerts.issue_outbox (issue_id, version);
COMMENT ON TABLE alerts.issue_outbox IS 'Changes to publish on `issues`; one relay at a time, in the order of ids.';

CREATE TABLE alerts.feed (
    id       bigint GENERATED ALWAYS AS IDENTITY,
    xid      xid8 NOT NULL DEFAULT pg_current_xact_id(),
    at       timestamptz NOT NULL,
    issue_id uuid NOT NULL,
    type     text NOT NULL,
    document text NOT NULL,                           -- issue v1
    PRIMARY KEY (xid, id)
);
CREATE INDEX feed_at ON alerts.feed (at);
COMMENT ON TABLE alerts.feed IS 'What the live stream says; read in the order (xid, id), below every running xid.';

CREATE TABLE alerts.feed_horizon (
    sole boolean PRIMARY KEY DEFAULT true CHECK (sole),
    xid  xid8 NOT NULL,
    id   bigint NOT NULL                              -- the last row that was pruned; older cursors cannot resume
);
INSERT INTO alerts.feed_horizon (xid, id) VALUES ('0', 0);
"""


def upgrade() -> None:
    for part in (INTAKE, ISSUES, PEOPLE, DELIVERY):
        op.execute(part)


def downgrade() -> None:
    op.execute("DROP SCHEMA alerts CASCADE")
