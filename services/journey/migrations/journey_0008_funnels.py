"""Defined journeys as rows of their own, and the sums of all of them: what a funnel shows.

The sums are kept as those of the graph of paths are (journey_0007): workers append to `funnel_changes` in the
transaction of the batch, and what was appended is folded into `funnel_counts`.
"""

from alembic import op

revision = "journey_0008"
down_revision = "journey_0007"
branch_labels = None
depends_on = None

FUNNELS = """
CREATE TABLE journey.passages (
    definition    text NOT NULL,
    source        text NOT NULL,                      -- of the touchpoint that entered it
    touchpoint_id text NOT NULL,
    customer_id   uuid NOT NULL,
    channel       text NOT NULL,                      -- of that touchpoint
    reason        text,                               -- of the journey in which it was entered
    service_level text,
    entered_at    timestamptz NOT NULL,
    stage         text NOT NULL,                      -- the present one, or the one in which it ended
    ended_at      timestamptz,
    progress      json NOT NULL,
    PRIMARY KEY (definition, source, touchpoint_id)
);
CREATE INDEX passages_customer ON journey.passages (customer_id);
COMMENT ON TABLE journey.passages IS 'Defined journeys of customers: how far each has come.';

CREATE TABLE journey.funnel_changes (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hour          timestamptz NOT NULL,               -- of the entry
    definition    text NOT NULL,
    stage         text NOT NULL,                      -- '' for the entry
    measure       text NOT NULL,                      -- what is counted (FunnelMeasure)
    channel       text NOT NULL,                      -- of the entry
    reason        text NOT NULL,                      -- '' where there is none
    service_level text NOT NULL,
    bucket        smallint NOT NULL,                  -- of the duration; -1 where there is none
    journeys      bigint NOT NULL,                    -- negative: taken back
    took_us       bigint NOT NULL                     -- microseconds, summed
);
COMMENT ON TABLE journey.funnel_changes IS 'What changed in funnels, not folded into funnel_counts yet.';

CREATE TABLE journey.funnel_steps (
    step_id       integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    definition    text NOT NULL,
    stage         text NOT NULL,
    measure       text NOT NULL,
    channel       text NOT NULL,
    reason        text NOT NULL,
    service_level text NOT NULL,
    UNIQUE (definition, stage, measure, channel, reason, service_level)
);

CREATE TABLE journey.funnel_counts (
    span     "char" NOT NULL,                         -- h, d, m: an hour, a day, a month (UTC)
    since    timestamptz NOT NULL,
    step_id  integer NOT NULL,
    bucket   smallint NOT NULL,
    journeys bigint NOT NULL,
    took_us  bigint NOT NULL,
    PRIMARY KEY (span, since, step_id, bucket)
) WITH (fillfactor = 80);
COMMENT ON TABLE journey.funnel_counts IS 'Funnels by hour, day and month; each holds all that is folded.';
"""


def upgrade() -> None:
    op.execute(FUNNELS)


def downgrade() -> None:
    op.execute("DROP TABLE journey.funnel_counts, journey.funnel_steps, journey.funnel_changes, journey.passages")
