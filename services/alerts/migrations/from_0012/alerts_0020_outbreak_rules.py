"""An outbreak of several rules: which rule each of its frictions is of; and when issues of it were handed out last.

Rows of the release before have no rule; theirs is the rule of the first key of the outbreak.
"""

from alembic import op

revision = "alerts_0020"
down_revision = "alerts_0019"
branch_labels = None
depends_on = None

KEYS = """
ALTER TABLE alerts.outbreaks DROP CONSTRAINT outbreaks_pkey,
    ADD CONSTRAINT outbreaks_pkey PRIMARY KEY (outbreak_id, key, opened_at),
    ADD COLUMN handed_out_at timestamptz
"""
RULES = "ALTER TABLE alerts.outbreak_frictions ADD COLUMN rule text"


def upgrade() -> None:
    op.execute(KEYS)
    op.execute(RULES)


ONE_KEY = """
DELETE FROM alerts.outbreaks o USING alerts.outbreaks first
 WHERE o.outbreak_id = first.outbreak_id AND o.opened_at = first.opened_at AND o.key > first.key;
ALTER TABLE alerts.outbreaks DROP CONSTRAINT outbreaks_pkey,
    ADD CONSTRAINT outbreaks_pkey PRIMARY KEY (outbreak_id, opened_at),
    DROP COLUMN handed_out_at
"""


def downgrade() -> None:
    op.execute(ONE_KEY)
    op.execute("ALTER TABLE alerts.outbreak_frictions DROP COLUMN rule")
