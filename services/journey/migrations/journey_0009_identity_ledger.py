"""Identity under constraints: links that are not followed, identifiers between customers, and what operators said.

Customers that break a constraint already, because they were joined by the releases before, are marked as contested: the
next fact about one of them, or `waymark identity check --repair`, settles them. Columns are added with constant
defaults, so nothing is rewritten, and a worker of the release before goes on beside.
"""

from alembic import op

revision = "journey_0009"
down_revision = "journey_0008"
branch_labels = None
depends_on = None

LEDGER = """
ALTER TABLE journey.identifiers ADD COLUMN standing text NOT NULL DEFAULT 'owned'
    CHECK (standing IN ('owned', 'between', 'shared'));
ALTER TABLE journey.identifiers ADD COLUMN proof_is_new boolean NOT NULL DEFAULT false;
CREATE INDEX identifiers_unowned ON journey.identifiers (standing, last_seen) WHERE standing <> 'owned';
COMMENT ON COLUMN journey.identifiers.standing IS
    'owned by one customer; or between customers or shared, and then held by whoever was last known on it';
COMMENT ON COLUMN journey.identifiers.proof_is_new IS
    'verified since the customers were last settled by what is verified';
COMMENT ON COLUMN journey.identifiers.customer_id IS
    'null where no touchpoint belongs to it alone: it is between customers, shared, or its link was refused';

ALTER TABLE journey.links ADD COLUMN sequence bigint NOT NULL DEFAULT 0;
ALTER TABLE journey.links DROP CONSTRAINT links_state_check;
ALTER TABLE journey.links ADD CONSTRAINT links_state_check
    CHECK (state IN ('active', 'refused', 'quarantined', 'retracted'));
COMMENT ON COLUMN journey.links.state IS
    'active: followed; refused: a constraint forbids it, see reason; quarantined: a cap; retracted by an operator';

ALTER TABLE journey.customers ADD COLUMN contested boolean NOT NULL DEFAULT false;
ALTER TABLE journey.customers ADD COLUMN split_from uuid REFERENCES journey.customers (customer_id);
CREATE INDEX customers_split_from ON journey.customers (split_from) WHERE split_from IS NOT NULL;
COMMENT ON COLUMN journey.customers.contested IS
    'not all links around are followed, so every new one is decided together with all the others';

CREATE TABLE journey.identity_words (
    word_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    word        text NOT NULL CHECK (word IN ('merge', 'separate')),
    left_type   text COLLATE "C" NOT NULL,
    left_value  text COLLATE "C" NOT NULL,
    right_type  text COLLATE "C" NOT NULL,
    right_value text COLLATE "C" NOT NULL,
    said_at     timestamptz NOT NULL DEFAULT now(),
    said_by     text NOT NULL,
    note        text NOT NULL DEFAULT '',
    CHECK ((left_type, left_value) < (right_type, right_value))
);
CREATE INDEX identity_words_left ON journey.identity_words (left_type, left_value);
CREATE INDEX identity_words_right ON journey.identity_words (right_type, right_value);
COMMENT ON TABLE journey.identity_words IS 'What operators said of two identifiers; part of the ledger, never edited.';

CREATE TABLE journey.sightings (
    type          text COLLATE "C" NOT NULL,
    value         text COLLATE "C" NOT NULL,
    occurred_at   timestamptz NOT NULL,
    source        text COLLATE "C" NOT NULL,
    touchpoint_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (type, value, occurred_at, source, touchpoint_id)
);
COMMENT ON TABLE journey.sightings IS
    'Touchpoints that carry an identifier between customers or shared: they say who had it when.';
"""

CONTESTED = """
UPDATE journey.customers AS c SET contested = true
  FROM (SELECT coalesce(o.merged_into, o.customer_id) AS root
          FROM journey.identifiers AS i JOIN journey.customers AS o USING (customer_id)
         WHERE i.type = 'customer_id' GROUP BY 1 HAVING count(*) > 1) AS joined
 WHERE c.customer_id = joined.root"""


def upgrade() -> None:
    op.execute(LEDGER)
    op.execute(CONTESTED)


def downgrade() -> None:
    op.execute("DROP TABLE journey.sightings, journey.identity_words")
    op.execute("DROP INDEX journey.customers_split_from")
    op.execute("ALTER TABLE journey.customers DROP COLUMN split_from, DROP COLUMN contested")
    op.execute("UPDATE journey.links SET state = 'quarantined' WHERE state = 'refused'")
    op.execute("ALTER TABLE journey.links DROP CONSTRAINT links_state_check, DROP COLUMN sequence")
    op.execute(
        "ALTER TABLE journey.links ADD CONSTRAINT links_state_check"
        " CHECK (state IN ('active', 'quarantined', 'retracted'))"
    )
    op.execute("ALTER TABLE journey.identifiers DROP COLUMN standing, DROP COLUMN proof_is_new")
