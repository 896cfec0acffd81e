"""What a source or one key of it may do and how fast, keys of operators, and which dead letters were sent again.

A key's own scopes narrow or widen what its source may do: a key that is public (in a web page) only writes, one that
replays dead letters only replays. A limit that is not given is the one of the settings.
"""

from alembic import op

revision = "ingest_0002"
down_revision = "ingest_0001"
branch_labels = None
depends_on = None

LIMITS = """
ALTER TABLE ingest.sources
    ADD COLUMN requests_per_s    real CHECK (requests_per_s > 0),
    ADD COLUMN touchpoints_per_s real CHECK (touchpoints_per_s > 0),
    ALTER COLUMN scopes SET DEFAULT '{write,inspect}',
    DROP CONSTRAINT sources_scopes_check,
    ADD CONSTRAINT sources_scopes_check CHECK (scopes <@ ARRAY['write', 'replay', 'inspect']);
UPDATE ingest.sources SET scopes = scopes || '{inspect}';

ALTER TABLE ingest.source_keys
    ADD COLUMN scopes            text[] CHECK (scopes <@ ARRAY['write', 'replay', 'inspect']),  -- null: the source's
    ADD COLUMN requests_per_s    real CHECK (requests_per_s > 0),
    ADD COLUMN touchpoints_per_s real CHECK (touchpoints_per_s > 0),
    ADD COLUMN rotated_to        text REFERENCES ingest.source_keys (key_id) ON DELETE SET NULL;
"""

KEYS = """
CREATE TABLE ingest.api_keys (
    key_id       text PRIMARY KEY,
    kind         text NOT NULL CHECK (kind IN ('reader', 'agent', 'admin')),
    secret_hash  bytea NOT NULL CHECK (octet_length(secret_hash) = 32),
    label        text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz
);
COMMENT ON TABLE ingest.api_keys IS 'Hashed keys of people who look into what every source sends.';
"""

REQUEUED = """
CREATE TABLE ingest.requeued_letters (
    letter_id   text PRIMARY KEY,
    source      text NOT NULL,
    outcome     text NOT NULL,
    code        text NOT NULL DEFAULT '',
    requeued_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE ingest.requeued_letters IS 'Dead letters of ingest that were sent again, and what became of them.';
"""


def upgrade() -> None:
    for part in (LIMITS, KEYS, REQUEUED):
        op.execute(part)


def downgrade() -> None:
    op.execute(
        """
        DROP TABLE ingest.requeued_letters, ingest.api_keys;
        ALTER TABLE ingest.source_keys
            DROP COLUMN rotated_to, DROP COLUMN touchpoints_per_s, DROP COLUMN requests_per_s, DROP COLUMN scopes;
        UPDATE ingest.sources SET scopes = array_remove(scopes, 'inspect');
        ALTER TABLE ingest.sources
            DROP CONSTRAINT sources_scopes_check,
            ADD CONSTRAINT sources_scopes_check CHECK (scopes <@ ARRAY['write', 'replay']),
            ALTER COLUMN scopes SET DEFAULT '{write}',
            DROP COLUMN touchpoints_per_s, DROP COLUMN requests_per_s;
        """
    )
