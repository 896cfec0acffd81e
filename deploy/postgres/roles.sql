-- One role per service, each confined to its own schema. Run after every migration, as the owner of the database:
--
--   psql "$WAYMARK_POSTGRES" -f deploy/postgres/roles.sql
--
-- It can be repeated. The passwords come from the environment: WAYMARK_DB_PASSWORD_INGEST, …_JOURNEY, …_ALERTS.
-- The services run with these roles; only `waymark migrate` and `waymark keys` run as the owner.

\set ON_ERROR_STOP on
\getenv ingest_password WAYMARK_DB_PASSWORD_INGEST
\getenv journey_password WAYMARK_DB_PASSWORD_JOURNEY
\getenv alerts_password WAYMARK_DB_PASSWORD_ALERTS

BEGIN;

SELECT format('CREATE ROLE %I LOGIN', role)
FROM (VALUES ('waymark_ingest'), ('waymark_journey'), ('waymark_alerts')) AS wanted (role)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role)
\gexec

ALTER ROLE waymark_ingest PASSWORD :'ingest_password';
ALTER ROLE waymark_journey PASSWORD :'journey_password';
ALTER ROLE waymark_alerts PASSWORD :'alerts_password';

-- Nobody but the owner makes anything, and nobody reads another's schema.
REVOKE ALL ON SCHEMA public FROM PUBLIC;
REVOKE ALL ON SCHEMA ingest, journey, alerts FROM PUBLIC;

SELECT format(statement, service, 'waymark_' || service)
FROM (VALUES ('ingest'), ('journey'), ('alerts')) AS services (service),
     (VALUES (1, 'GRANT USAGE ON SCHEMA %1$I TO %2$I'),
             (2, 'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %1$I TO %2$I'),
             (3, 'GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA %1$I TO %2$I'),
             (4, 'GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA %1$I TO %2$I'))
     AS grants (step, statement)
ORDER BY service, step
\gexec

-- Every process compares the revision of the database with its own.
GRANT USAGE ON SCHEMA waymark TO waymark_ingest, waymark_journey, waymark_alerts;
GRANT SELECT ON ALL TABLES IN SCHEMA waymark TO waymark_ingest, waymark_journey, waymark_alerts;

COMMIT;
