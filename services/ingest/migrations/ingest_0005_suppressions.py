"""Whom nothing may be kept of: pseudonyms of their identifiers, checked before anything is written.

`suppression_list` has one row, changed in every transaction that changes the list: whoever holds the list in memory
sees by its version that it changed, whatever the order of commits. `probe` is a pseudonym of nobody, by which a process
finds out that it was given another secret than whoever wrote the list.
"""

from alembic import op

revision = "ingest_0005"
down_revision = "ingest_0004"
branch_labels = None
depends_on = None

SUPPRESSIONS = """
CREATE TABLE ingest.suppressions (
    pseudonym     text PRIMARY KEY CHECK (pseudonym ~ '^hmac:[0-9a-f]{40}$'),
    type          text NOT NULL,
    note          text NOT NULL DEFAULT '',       -- why: a reference to the request, nothing personal
    suppressed_at timestamptz NOT NULL DEFAULT now(),
    lifted_at     timestamptz                     -- null: in force
);
COMMENT ON TABLE ingest.suppressions IS 'Identifiers, as pseudonyms, whose touchpoints are refused; lifted ones are kept as a record.';

CREATE TABLE ingest.suppression_list (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    version bigint NOT NULL DEFAULT 0,
    probe   text NOT NULL DEFAULT ''
);
INSERT INTO ingest.suppression_list DEFAULT VALUES;
COMMENT ON TABLE ingest.suppression_list IS 'One row: which version the list has, and a pseudonym that tells the secret apart.';
"""  # noqa: E501  comments of tables are one literal each


def upgrade() -> None:
    op.execute(SUPPRESSIONS)


def downgrade() -> None:
    op.execute("DROP TABLE ingest.suppression_list, ingest.suppressions;")
