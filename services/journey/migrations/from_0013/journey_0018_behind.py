"""Who is behind a number: touchpoints of some hours, and defined journeys by their entry, without reading all of them.

Touchpoints come nearly in the order of their time, so blocks of the table are told apart by it: a BRIN index of a few
kilobytes, which costs a worker next to nothing. When a defined journey was entered hardly ever changes.
"""

from alembic import op

revision = "journey_0018"
down_revision = "journey_0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "CREATE INDEX touchpoints_when ON journey.touchpoints USING brin (occurred_at) WITH (pages_per_range = 16)"
    )
    op.execute("CREATE INDEX passages_entered ON journey.passages (definition, entered_at)")


def downgrade() -> None:
    op.execute("DROP INDEX journey.passages_entered")
    op.execute("DROP INDEX journey.touchpoints_when")
