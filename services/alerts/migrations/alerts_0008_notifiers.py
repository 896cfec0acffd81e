"""Endpoints of many kinds: their options, vendors' credentials, and what a receiver calls its message of an issue.

Kinds are code (`deliver/notifiers`), so the database no longer lists them. Credentials are sealed before they come
here.
"""

from alembic import op

revision = "alerts_0008"
down_revision = "alerts_0007"
branch_labels = None
depends_on = None

CREDENTIALS = """
CREATE TABLE alerts.endpoint_credentials (
    endpoint_id uuid NOT NULL REFERENCES alerts.endpoints (endpoint_id),
    name        text NOT NULL,
    sealed      bytea NOT NULL,
    master_key  text NOT NULL,                        -- the name of the key that seals it, which is not in the database
    set_at      timestamptz NOT NULL,
    PRIMARY KEY (endpoint_id, name)
);
COMMENT ON TABLE alerts.endpoint_credentials IS 'Tokens, keys and secret addresses of vendors, sealed.';
"""
REFERENCES = """
CREATE TABLE alerts.endpoint_references (
    endpoint_id uuid NOT NULL REFERENCES alerts.endpoints (endpoint_id),
    issue_id    uuid NOT NULL,
    reference   json NOT NULL,                        -- Slack: channel and ts; Zendesk: ticket
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (endpoint_id, issue_id)
) WITH (fillfactor = 80);
CREATE INDEX endpoint_references_updated ON alerts.endpoint_references (updated_at);
COMMENT ON TABLE alerts.endpoint_references IS 'What a receiver calls its message about an issue, to change it later.';
"""


def upgrade() -> None:
    op.execute("ALTER TABLE alerts.endpoints DROP CONSTRAINT endpoints_kind_check")
    op.execute(
        "ALTER TABLE alerts.endpoints ADD CONSTRAINT endpoints_kind_check CHECK (kind ~ '^[a-z][a-z0-9_]{0,39}$')"
    )
    op.execute("ALTER TABLE alerts.endpoints ADD COLUMN options json NOT NULL DEFAULT '{}'")
    op.execute(CREDENTIALS)
    op.execute(REFERENCES)


def downgrade() -> None:
    op.execute("DROP TABLE alerts.endpoint_references")
    op.execute("DROP TABLE alerts.endpoint_credentials")
    op.execute("ALTER TABLE alerts.endpoints DROP COLUMN options")
    op.execute("ALTER TABLE alerts.endpoints DROP CONSTRAINT endpoints_kind_check")
    op.execute(
        "ALTER TABLE alerts.endpoints ADD CONSTRAINT endpoints_kind_check"
        " CHECK (kind IN ('standard_webhook')) NOT VALID"
    )
