"""Every variable that begins like ours and that something reads: a process, this command, or what deploys them."""

from services.alerts.settings import AlertsSettings
from services.ingest.settings import IngestSettings
from services.journey.api_settings import ApiSettings
from services.journey.settings import WorkerSettings
from services.runtime.settings import CommonSettings

_OF_THE_COMMAND = frozenset(
    {
        "WAYMARK_DATA_DIR",
        *(f"WAYMARK_URL_{name}" for name in ("INGEST", "JOURNEY", "JOURNEY_API", "ALERTS")),
        *(f"WAYMARK_KEY_{name}" for name in ("SOURCE", "READER", "AGENT", "ADMIN")),
    }
)
_OF_DEPLOYMENTS = frozenset(
    {
        *("WAYMARK_VERSION", "WAYMARK_GRAFANA_PASSWORD", "WAYMARK_DB_PASSWORD", "WAYMARK_KAFKA_CLUSTER_ID"),
        *(f"WAYMARK_DB_PASSWORD_{name}" for name in ("INGEST", "JOURNEY", "ALERTS")),
        *(f"WAYMARK_PORT_{name}" for name in ("INGEST", "JOURNEY_API", "ALERTS", "KAFKA", "POSTGRES")),
        *(f"WAYMARK_PORT_{name}" for name in ("GRAFANA", "PROMETHEUS")),
    }
)


def known_variables() -> frozenset[str]:
    """Their names."""
    classes = (CommonSettings, IngestSettings, WorkerSettings, ApiSettings, AlertsSettings)
    read = {cls.variable_of(field) for cls in classes for field in cls.model_fields}
    return frozenset(read | _OF_THE_COMMAND | _OF_DEPLOYMENTS)
