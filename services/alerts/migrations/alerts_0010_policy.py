"""The policy of notifying: a tree of routes with options, hours, inhibition, silences, and what waits because of them.

Routes carry over as the children of the root; they gain columns whose defaults mean what was so before. Everything that
waits is a row with a due time: a held notification and the next repeat in `waits`, a group in `groups`.
"""

from alembic import op

revision = "alerts_0010"
down_revision = "alerts_0009"
branch_labels = None
depends_on = None

POLICY = """
ALTER TABLE alerts.routes
    ADD COLUMN label_matchers json NOT NULL DEFAULT '[]',   -- [{"name", "operator", "value"}, ...]
    ADD COLUMN options json NOT NULL DEFAULT '{}',          -- grouping, repeats, hours
    ADD COLUMN children json NOT NULL DEFAULT '[]';         -- the routes below it, each with all its members
ALTER TABLE alerts.route_versions
    ADD COLUMN settings json,                               -- the row of policy_settings as it stood after the change
    ADD COLUMN note text NOT NULL DEFAULT '';

CREATE TABLE alerts.policy_settings (
    sole          boolean PRIMARY KEY DEFAULT true CHECK (sole),
    root          json NOT NULL DEFAULT '{}',
    inhibit_rules json NOT NULL DEFAULT '[]',
    hours         json NOT NULL DEFAULT '[]'
);
INSERT INTO alerts.policy_settings DEFAULT VALUES;
COMMENT ON TABLE alerts.policy_settings IS 'The policy but for its routes; its versions stand in route_versions.';

CREATE TABLE alerts.silences (
    silence_id  uuid PRIMARY KEY,
    matchers    json NOT NULL,
    starts_at   timestamptz NOT NULL,
    ends_at     timestamptz NOT NULL,
    during      text[] NOT NULL DEFAULT '{}',               -- named hours inside its time
    issue_id    uuid,                                       -- it ends with this issue
    comment     text NOT NULL,
    created_by  text NOT NULL,
    updated_at  timestamptz NOT NULL,
    warn_before interval,
    warned_at   timestamptz,
    over        boolean NOT NULL DEFAULT false              -- upkeep found it ended; a change begins anew
);
CREATE INDEX silences_running ON alerts.silences (ends_at) WHERE NOT over;
COMMENT ON TABLE alerts.silences IS 'What notifies nobody for a time; rows stay after their end.';

CREATE TABLE alerts.inhibition_sources (
    key          text NOT NULL,                             -- the rule and the values of its equal labels
    issue_id     uuid NOT NULL,
    matches_both boolean NOT NULL,
    PRIMARY KEY (key, issue_id)
);
CREATE INDEX inhibition_sources_issue ON alerts.inhibition_sources (issue_id);
COMMENT ON TABLE alerts.inhibition_sources IS 'Open issues that inhibit others; follows from issues and policy.';
"""

WAITS = """
CREATE TABLE alerts.waits (
    issue_id uuid NOT NULL,
    route_id uuid NOT NULL,                                 -- zero: the catch-all endpoints
    kind     text NOT NULL CHECK (kind IN ('hours', 'silence', 'inhibition', 'repeat', 'reroute')),
    reason   text NOT NULL,                                 -- why people will be notified
    due_at   timestamptz NOT NULL,
    since    timestamptz NOT NULL,
    blocker  text,                                          -- the silence, or the key of the inhibition
    repeats  integer NOT NULL DEFAULT 0,
    PRIMARY KEY (issue_id, route_id)
) WITH (fillfactor = 70);
CREATE INDEX waits_due ON alerts.waits (due_at);
CREATE INDEX waits_blocker ON alerts.waits (blocker) WHERE blocker IS NOT NULL;
COMMENT ON TABLE alerts.waits IS 'Notifications that are due later, or as soon as what holds them ends.';

CREATE TABLE alerts.groups (
    group_id      uuid PRIMARY KEY,
    route_id      uuid NOT NULL,
    key           text NOT NULL,
    labels        json NOT NULL,
    created_at    timestamptz NOT NULL,
    next_flush_at timestamptz NOT NULL,
    firing        text[] NOT NULL DEFAULT '{}',             -- what was told: issue:severity
    resolved      text[] NOT NULL DEFAULT '{}',
    told_at       timestamptz,                              -- null: nothing was told yet
    repeats       integer NOT NULL DEFAULT 0,
    sequence      bigint NOT NULL DEFAULT 0,
    endpoints     uuid[] NOT NULL DEFAULT '{}',             -- everybody who was told of it
    UNIQUE (route_id, key)
) WITH (fillfactor = 70);
CREATE INDEX groups_due ON alerts.groups (next_flush_at);
COMMENT ON TABLE alerts.groups IS 'Issues that share messages, and what people were last told of them.';

CREATE TABLE alerts.group_members (
    group_id uuid NOT NULL REFERENCES alerts.groups (group_id) ON DELETE CASCADE,
    issue_id uuid NOT NULL,
    added_at timestamptz NOT NULL,
    PRIMARY KEY (group_id, issue_id)
);
CREATE INDEX group_members_issue ON alerts.group_members (issue_id);

ALTER TABLE alerts.notifications ADD COLUMN group_id uuid;
CREATE TABLE alerts.notification_issues (
    notification_id uuid NOT NULL REFERENCES alerts.notifications (notification_id) ON DELETE CASCADE,
    issue_id        uuid NOT NULL,
    PRIMARY KEY (notification_id, issue_id)
);
CREATE INDEX notification_issues_issue ON alerts.notification_issues (issue_id);
COMMENT ON TABLE alerts.notification_issues IS 'Which issues a message about a group told of.';
"""


def upgrade() -> None:
    op.execute(POLICY)
    op.execute(WAITS)


def downgrade() -> None:
    op.execute("DROP TABLE alerts.notification_issues, alerts.group_members, alerts.groups, alerts.waits")
    op.execute("DROP TABLE alerts.inhibition_sources, alerts.silences, alerts.policy_settings")
    op.execute("ALTER TABLE alerts.notifications DROP COLUMN group_id")
    op.execute("ALTER TABLE alerts.route_versions DROP COLUMN settings, DROP COLUMN note")
    op.execute("ALTER TABLE alerts.routes DROP COLUMN label_matchers, DROP COLUMN options, DROP COLUMN children")
