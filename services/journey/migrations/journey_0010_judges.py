"""Which version of the identity policy decides a link: the first, for all that is known. Nothing is rewritten."""

from alembic import op

revision = "journey_0010"
down_revision = "journey_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE journey.links ADD COLUMN judged_by integer NOT NULL DEFAULT 1")
    op.execute(
        "COMMENT ON COLUMN journey.links.judged_by IS"
        " 'version of the identity policy in force when the first touchpoint that shows it was appended'"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE journey.links DROP COLUMN judged_by")
