"""The graph of paths: how often one touchpoint followed another in a journey, how long it took, and where it got hard.

Workers only append to `path_changes`, in the transaction of the batch, so they never wait for one another. What was
appended is folded into `path_counts`, by hour, by day and by month, so that a long span is read from few rows. A reader
adds up both, in one snapshot.
"""

from alembic import op

revision = "journey_0007"
down_revision = "journey_0006"
branch_labels = None
depends_on = None

PATHS = """
ALTER TABLE journey.touchpoints ADD COLUMN friction boolean NOT NULL DEFAULT false;   -- a friction stands at it
UPDATE journey.touchpoints AS t SET friction = true
  FROM journey.frictions AS f
 WHERE f.state = 'detected' AND t.customer_id = f.customer_id AND t.occurred_at = f.occurred_at AND NOT t.late
   AND t.source = f.payload #>> '{anchor,source}'
   AND (t.id = f.payload #>> '{anchor,touchpoint_id}'
        OR t.payload ->> 'interaction_id' = f.payload #>> '{anchor,interaction_id}');

CREATE TABLE journey.path_changes (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hour          timestamptz NOT NULL,               -- of the touchpoint it leads to; of an end, of the last one
    from_channel  text NOT NULL,                      -- '' where it is the start
    from_kind     text NOT NULL,
    to_channel    text NOT NULL,                      -- '' where it is an end
    to_kind       text NOT NULL,
    reason        text NOT NULL,                      -- of the journey; '' where it has none
    service_level text NOT NULL,
    bucket        smallint NOT NULL,                  -- of the gap; -1 where there is none
    steps         bigint NOT NULL,                    -- negative: taken back
    frictions     bigint NOT NULL,                    -- of these, led to a touchpoint at which a friction stands
    gap_us        bigint NOT NULL                     -- microseconds, summed
);
COMMENT ON TABLE journey.path_changes IS 'Steps of journeys that came and went, not folded into path_counts yet.';

CREATE TABLE journey.path_steps (
    step_id       integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    from_channel  text NOT NULL,
    from_kind     text NOT NULL,
    to_channel    text NOT NULL,
    to_kind       text NOT NULL,
    reason        text NOT NULL,
    service_level text NOT NULL,
    UNIQUE (from_channel, from_kind, to_channel, to_kind, reason, service_level)
);

CREATE TABLE journey.path_counts (
    span      "char" NOT NULL,                        -- h, d, m: an hour, a day, a month (UTC)
    since     timestamptz NOT NULL,
    step_id   integer NOT NULL,
    bucket    smallint NOT NULL,
    steps     bigint NOT NULL,
    frictions bigint NOT NULL,
    gap_us    bigint NOT NULL,
    PRIMARY KEY (span, since, step_id, bucket)
) WITH (fillfactor = 80);
COMMENT ON TABLE journey.path_counts IS 'Steps of journeys by hour, day and month; each holds all that is folded.';
"""


def upgrade() -> None:
    op.execute(PATHS)


def downgrade() -> None:
    op.execute("DROP TABLE journey.path_counts, journey.path_steps, journey.path_changes")
    op.execute("ALTER TABLE journey.touchpoints DROP COLUMN friction")
