"""Frictions in the graph of paths by rule: which rules' frictions stand at a touchpoint, and the sums of each rule.

Rules are noted from here on, and of older touchpoints once their customer comes back. A worker of the version before
may run beside: what it writes has no rules, and is in no sum by rule.
"""

from alembic import op

revision = "journey_0014"
down_revision = "journey_0012"
branch_labels = None
depends_on = None

PATH_RULES = """
ALTER TABLE journey.touchpoints ADD COLUMN rules text[] NOT NULL DEFAULT '{}';   -- of the frictions that stand at it

CREATE TABLE journey.path_rule_changes (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hour          timestamptz NOT NULL,               -- of the touchpoint at which the friction stands
    from_channel  text NOT NULL,                      -- '' where it is the start
    from_kind     text NOT NULL,
    to_channel    text NOT NULL,
    to_kind       text NOT NULL,
    reason        text NOT NULL,                      -- of the journey; '' where it has none
    service_level text NOT NULL,
    rule          text NOT NULL,
    bucket        smallint NOT NULL,                  -- always -1: gaps are told of all steps together
    frictions     bigint NOT NULL                     -- negative: taken back
);
COMMENT ON TABLE journey.path_rule_changes IS 'Frictions that came and went, not folded into path_rule_counts yet.';

CREATE TABLE journey.path_rule_steps (
    step_id       integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    from_channel  text NOT NULL,
    from_kind     text NOT NULL,
    to_channel    text NOT NULL,
    to_kind       text NOT NULL,
    reason        text NOT NULL,
    service_level text NOT NULL,
    rule          text NOT NULL,
    UNIQUE (rule, from_channel, from_kind, to_channel, to_kind, reason, service_level)
);

CREATE TABLE journey.path_rule_counts (
    span      "char" NOT NULL,                        -- h, d, m: an hour, a day, a month (UTC)
    since     timestamptz NOT NULL,
    step_id   integer NOT NULL,
    bucket    smallint NOT NULL,
    frictions bigint NOT NULL,
    PRIMARY KEY (span, since, step_id, bucket)
) WITH (fillfactor = 80);
COMMENT ON TABLE journey.path_rule_counts IS 'Frictions by rule, hour, day and month; each holds all that is folded.';
"""


def upgrade() -> None:
    op.execute(PATH_RULES)


def downgrade() -> None:
    op.execute("DROP TABLE journey.path_rule_counts, journey.path_rule_steps, journey.path_rule_changes")
    op.execute("ALTER TABLE journey.touchpoints DROP COLUMN rules")
