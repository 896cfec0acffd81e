"""The secrets that channel systems sign their webhooks with.

Which system a source is, and how it is set up, stands in `ingest.sources.dialects` under `channels`. A secret is the
vendor's and must be read again, so it is sealed (services/runtime/credentials/sealing.py), or it is the name of a file
that every replica has mounted; several at once, so that one can be rotated.
"""

from alembic import op

revision = "ingest_0004"
down_revision = "ingest_0003"
branch_labels = None
depends_on = None

SECRETS = """
CREATE TABLE ingest.source_secrets (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source     text NOT NULL REFERENCES ingest.sources (name),
    material   bytea,
    master_key text,                                  -- name of the key it is sealed under; null: kept as it is
    mounted    text CHECK (mounted ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$'),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    CHECK ((material IS NULL) <> (mounted IS NULL))
);
COMMENT ON TABLE ingest.source_secrets IS 'What channel systems sign with: sealed, or the name of a mounted file.';
CREATE INDEX source_secrets_source ON ingest.source_secrets (source);
"""


def upgrade() -> None:
    op.execute(SECRETS)


def downgrade() -> None:
    op.execute("DROP TABLE ingest.source_secrets;")
