"""What a source speaks and how: its dialects' mappings, the web origins it is sent from, and how its clock is taken.

`dialects` holds one member for each wire form that wants to know something of the source (`segment`: the mapping of its
calls, services/ingest/forms/segment/segment_mapping.py); the form checks it when it is set.
"""

from alembic import op

revision = "ingest_0003"
down_revision = "ingest_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
ALTER TABLE ingest.sources
    ADD COLUMN dialects jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(dialects) = 'object'),
    ADD COLUMN origins  text[] NOT NULL DEFAULT '{}',   -- of web pages that may send; '*': every one; empty: none
    ADD COLUMN clock    text NOT NULL DEFAULT 'estimate' CHECK (clock IN ('estimate', 'formula', 'true_time'));
""")


def downgrade() -> None:
    op.execute("ALTER TABLE ingest.sources DROP COLUMN dialects, DROP COLUMN origins, DROP COLUMN clock;")
