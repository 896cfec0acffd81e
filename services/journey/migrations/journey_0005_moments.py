"""Since when contacts are conversations.

What was judged before stays as it was judged: a database that is in use notes the moment of its upgrade, and what the
broker appended earlier is gathered as it was then. A database without touchpoints has no past, and notes nothing.
"""

from alembic import op

revision = "journey_0005"
down_revision = "journey_0004"
branch_labels = None
depends_on = None

CONVERSATIONS = """
INSERT INTO journey.moments (name, moment)
SELECT 'conversations', now() WHERE EXISTS (SELECT FROM journey.touchpoints)"""


def upgrade() -> None:
    op.execute('CREATE TABLE journey.moments (name text COLLATE "C" PRIMARY KEY, moment timestamptz NOT NULL)')
    op.execute(
        "COMMENT ON TABLE journey.moments IS"
        " 'Since when a definition is in force; without a row it always was. Never changed: frictions rest on it.'"
    )
    op.execute(CONVERSATIONS)


def downgrade() -> None:
    op.execute("DROP TABLE journey.moments")
