"""Nobody stays silent by accident: routes that tell nobody say so, issues that nobody could hear of are marked.

A route without endpoints and teams used to mute what it took. One that was made so on purpose gets the new flag; one
that lost its last endpoint because that was deleted does not: its issues go to the catch-all endpoints now.

An issue whose end was not told used to stay silent when it came back. Its end counts as told now.
"""

from alembic import op

revision = "alerts_0006"
down_revision = "alerts_0005"
branch_labels = None
depends_on = None

MUTED_ON_PURPOSE = """
WITH history AS (
    SELECT v.version, v.change, (r->>'id')::uuid AS route_id,
           json_array_length(r->'endpoints') + json_array_length(r->'teams') AS named
      FROM alerts.route_versions v CROSS JOIN LATERAL json_array_elements(v.document) AS r
), emptied AS (
    SELECT h.route_id, min(h.version) AS version FROM history h
     WHERE h.named = 0
       AND h.version > coalesce((SELECT max(n.version) FROM history n WHERE n.route_id = h.route_id AND n.named > 0), 0)
     GROUP BY h.route_id
)
UPDATE alerts.routes r SET tells_nobody = true
  FROM emptied e JOIN history h USING (route_id, version)
 WHERE r.route_id = e.route_id AND r.endpoints = '{}' AND r.teams = '{}' AND h.change <> 'endpoint deleted'
"""
ENDS_COUNT_AS_TOLD = """
UPDATE alerts.issues
   SET document = jsonb_set(document::jsonb, '{told,resolved}', 'true')::json
 WHERE state = 'resolved' AND document->'told'->>'severity' IS NOT NULL AND document->'told'->>'resolved' = 'false'
"""
WAITING_ALREADY = """
UPDATE alerts.issues i
   SET unheard_since = i.updated_at,
       document = jsonb_set(i.document::jsonb, '{unheard_since}', to_jsonb(i.updated_at))::json
 WHERE i.state = 'open' AND i.document->'told'->>'severity' IS NULL AND i.document->>'loud_severity' IS NOT NULL
   AND (SELECT e.detail->>'reason' FROM alerts.issue_events e
         WHERE e.issue_id = i.issue_id AND e.kind = 'not_told' ORDER BY e.id DESC LIMIT 1) = 'no_route'
"""


def upgrade() -> None:
    op.execute("ALTER TABLE alerts.routes ADD COLUMN tells_nobody boolean NOT NULL DEFAULT false")
    op.execute("ALTER TABLE alerts.issues ADD COLUMN unheard_since timestamptz")
    op.execute("CREATE INDEX issues_unheard ON alerts.issues (unheard_since) WHERE unheard_since IS NOT NULL")
    op.execute(MUTED_ON_PURPOSE)
    op.execute(ENDS_COUNT_AS_TOLD)
    op.execute(WAITING_ALREADY)


def downgrade() -> None:
    op.execute("ALTER TABLE alerts.issues DROP COLUMN unheard_since")
    op.execute("ALTER TABLE alerts.routes DROP COLUMN tells_nobody")
