"""Sources and their keys: who may send touchpoints, and what they may say.

A source is never deleted, only disabled: touchpoints carry its name for as long as they are kept. A key is stored as
its id (looked up) and the SHA-256 of its secret (compared); the key itself is shown once, by `waymark keys create`.
"""

from alembic import op

revision = "ingest_0001"
down_revision = None
branch_labels = ("ingest",)
depends_on = None

SCHEMA = """
CREATE SCHEMA IF NOT EXISTS ingest;

CREATE TABLE ingest.sources (
    name        text PRIMARY KEY CHECK (name ~ '^[a-z0-9][a-z0-9_.-]{0,63}$'),
    channels    text[] NOT NULL DEFAULT '{}',         -- empty: every channel
    scopes      text[] NOT NULL DEFAULT '{write}' CHECK (scopes <@ ARRAY['write', 'replay']),
    defaults    jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(defaults) = 'object'),
    created_at  timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz
);
COMMENT ON TABLE ingest.sources IS 'Producer systems: allowed channels, scopes, defaults for what they leave out.';

CREATE TABLE ingest.source_keys (
    key_id       text PRIMARY KEY,
    source       text NOT NULL REFERENCES ingest.sources (name),
    secret_hash  bytea NOT NULL CHECK (octet_length(secret_hash) = 32),
    label        text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz                          -- lossy: written at most once a minute
);
COMMENT ON TABLE ingest.source_keys IS 'Hashed keys of sources; several at once, so that a key can be rotated.';
CREATE INDEX source_keys_source ON ingest.source_keys (source);
"""


def upgrade() -> None:
    op.execute(SCHEMA)


def downgrade() -> None:
    op.execute("DROP TABLE ingest.source_keys; DROP TABLE ingest.sources;")
