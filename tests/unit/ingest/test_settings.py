import pytest

from services.ingest.settings import IngestProcessSettings, IngestSettings
from services.runtime.settings import SettingsError


def test_the_defaults_are_those_that_the_design_promises() -> None:
    settings = IngestSettings.load({})

    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert (settings.max_item_bytes, settings.max_items, settings.max_depth) == (64 * 1024, 1000, 16)
    assert (settings.max_body_bytes, settings.max_inflated_bytes) == (4 * 1024 * 1024, 16 * 1024 * 1024)


def test_all_problems_of_both_parts_are_reported_together() -> None:
    environ = {"WAYMARK_LOG_LEVEL": "loud", "WAYMARK_INGEST_PORT": "high", "WAYMARK_INGEST_MAX_ITEM": "3"}

    with pytest.raises(SettingsError) as raised:
        IngestProcessSettings.load(environ)

    assert len(raised.value.problems) == 3


def test_the_secret_is_not_shown() -> None:
    assert "hunter2" not in repr(IngestSettings.load({"WAYMARK_INGEST_KEY_SECRET": "hunter2"}))


@pytest.mark.parametrize("field", IngestSettings.model_fields)
def test_every_setting_says_what_it_means(field: str) -> None:
    assert (IngestSettings.model_fields[field].description or "").endswith((".", "…"))
