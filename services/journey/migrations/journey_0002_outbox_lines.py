"""Published records are found by the line they were published on: on a new line they are wanted again, all of them."""

from alembic import op

revision = "journey_0002"
down_revision = "journey_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DROP INDEX journey.outbox_published")
    op.execute(
        "CREATE INDEX outbox_lines ON journey.outbox (published_line, published_at) WHERE published_at IS NOT NULL"
    )


def downgrade() -> None:
    op.execute("DROP INDEX journey.outbox_lines")
    op.execute("CREATE INDEX outbox_published ON journey.outbox (published_at) WHERE published_at IS NOT NULL")
