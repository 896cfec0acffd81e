"""What rules in the shadow find, beside what the rules in force find; nothing of it is published."""

from alembic import op

revision = "journey_0011"
down_revision = "journey_0010"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE journey.shadow_frictions (
    customer_id uuid NOT NULL,
    trial       integer NOT NULL,                     -- version of the shadow since which the rule says what it says
    friction_id uuid NOT NULL,                        -- the id that it has where the rule is in force
    rule        text COLLATE "C" NOT NULL,
    in_shadow   boolean NOT NULL,
    in_force    boolean NOT NULL,
    severity    text NOT NULL,
    occurred_at timestamptz NOT NULL,                 -- event time of the anchor
    detected_at timestamptz NOT NULL,
    digest      bytea NOT NULL,                       -- of what the rules say, to see a change cheaply
    payload     json NOT NULL,                        -- anchor and touchpoints
    PRIMARY KEY (customer_id, trial, friction_id),
    CHECK (in_shadow OR in_force)
);
CREATE INDEX shadow_frictions_trial ON journey.shadow_frictions (trial, rule, detected_at);
COMMENT ON TABLE journey.shadow_frictions IS 'Frictions that rules in the shadow or the same rules in force find.';
"""


def upgrade() -> None:
    op.execute(TABLE)


def downgrade() -> None:
    op.execute("DROP TABLE journey.shadow_frictions")
