"""The daily digest: who gets it, of which team, at what time; and which were sent, so that none is sent twice."""

from alembic import op

revision = "alerts_0017"
down_revision = "alerts_0016"
branch_labels = None
depends_on = None

DIGESTS = """
CREATE TABLE alerts.digests (
    endpoint_id uuid PRIMARY KEY REFERENCES alerts.endpoints (endpoint_id),
    team        text,                                 -- the name of a team; null, all of them
    minute      integer NOT NULL CHECK (minute BETWEEN 0 AND 1439),  -- of the local day, when it is due
    time_zone   text NOT NULL,
    created_at  timestamptz NOT NULL
);
COMMENT ON TABLE alerts.digests IS 'Which endpoints get the digest of a day, and when.';

CREATE TABLE alerts.sent_digests (
    endpoint_id uuid NOT NULL,
    day         date NOT NULL,                        -- the day that it tells of
    sent_at     timestamptz NOT NULL,
    PRIMARY KEY (endpoint_id, day)
);
CREATE INDEX sent_digests_at ON alerts.sent_digests (sent_at);
COMMENT ON TABLE alerts.sent_digests IS 'Written in the transaction of its message: a digest is sent once.';
"""


def upgrade() -> None:
    op.execute(DIGESTS)


def downgrade() -> None:
    op.execute("DROP TABLE alerts.sent_digests, alerts.digests")
