"""Policies in versions: rules and what else analysts own, each in force from a moment on.

The worker stores the first version from what it was started with. A worker of the release before knows neither the
table nor the lock, and goes on with its own file.
"""

from alembic import op

revision = "journey_0006"
down_revision = "journey_0005"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE journey.policies (
    kind          text COLLATE "C" NOT NULL,          -- rules, ...
    version       integer NOT NULL CHECK (version > 0),
    in_force_from timestamptz NOT NULL,               -- judges what the broker appended from then on
    document      text NOT NULL,                      -- JSON, resolved: means the same in every release
    written       text NOT NULL,                      -- as a person wrote it
    digest        bytea NOT NULL,                     -- of the document
    author        text NOT NULL,
    note          text NOT NULL DEFAULT '',
    stored_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (kind, version),
    UNIQUE (kind, in_force_from)
);
COMMENT ON TABLE journey.policies IS 'Every version of what analysts own; rows are added, never changed.';
"""

# A volatile function: each statement in it sees what was committed before it, so versions are read under the lock.
# 7294621 is any constant; it names the lock among the database's advisory locks.
FUNCTIONS = """
CREATE FUNCTION journey.hold_policies(kinds text[], OUT at timestamptz, OUT latest integer[])
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7294621);
    at := clock_timestamp();
    latest := ARRAY(SELECT (SELECT max(p.version) FROM journey.policies AS p WHERE p.kind = k.kind)
                      FROM unnest(kinds) AS k (kind));
END $$;
CREATE FUNCTION journey.lock_policies() RETURNS void
LANGUAGE sql VOLATILE AS $$ SELECT pg_advisory_xact_lock(7294621) $$;
"""


def upgrade() -> None:
    op.execute(TABLE)
    op.execute(FUNCTIONS)


def downgrade() -> None:
    op.execute("DROP FUNCTION journey.hold_policies(text[]), journey.lock_policies()")
    op.execute("DROP TABLE journey.policies")
