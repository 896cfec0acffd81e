"""What rules cost, by the hour: measured by the workers on a sample of customers, for `waymark rules list`."""

from alembic import op

revision = "journey_0015"
down_revision = "journey_0014"
branch_labels = None
depends_on = None

COSTS = """
CREATE TABLE journey.rule_costs (
    rule        text COLLATE "C" NOT NULL,
    hour        timestamptz NOT NULL,
    seconds     float8 NOT NULL,                      -- that the rule took for the customers of the sample
    touchpoints bigint NOT NULL,                      -- that came for those customers while the rule was on
    PRIMARY KEY (rule, hour)
) WITH (fillfactor = 80);
COMMENT ON TABLE journey.rule_costs IS 'What rules cost, on a sample; hours are forgotten after a week.';
"""


def upgrade() -> None:
    op.execute(COSTS)


def downgrade() -> None:
    op.execute("DROP TABLE journey.rule_costs")
