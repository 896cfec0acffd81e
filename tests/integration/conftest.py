"""The services' fixtures, made in `tests/fixtures`."""

from tests.fixtures.alerts_service import friction_log
from tests.fixtures.ingest import ingest, ingest_topics
from tests.fixtures.journey_api import journey_rows, reader, stranger

__all__ = ["friction_log", "ingest", "ingest_topics", "journey_rows", "reader", "stranger"]
