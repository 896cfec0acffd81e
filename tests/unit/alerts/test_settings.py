"""Settings that would open a hole are refused at the start."""

import pytest

from services.alerts.notify.decision import NotificationReason
from services.alerts.settings import AlertsSettings
from services.runtime.settings import SettingsError


def test_the_defaults_reach_public_https_only() -> None:
    settings = AlertsSettings.load({})

    assert not settings.allow_private_targets
    assert not settings.allow_http
    assert settings.networks == ()
    assert NotificationReason.ACKNOWLEDGED not in settings.reasons


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("SECRET_KEYS", "short", id="a master key that can be guessed"),
        pytest.param("NOTIFY_ON", "first,sometimes", id="a reason that does not exist"),
        pytest.param("ALLOWED_NETWORKS", "10.0.0.1/8", id="a network with host bits"),
        pytest.param("TARGET_PORTS", "443,0", id="a port that does not exist"),
        pytest.param("LEASE_S", "10", id="a lease shorter than an attempt"),
    ],
)
def test_a_setting_that_cannot_be_right_is_named(name: str, text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        AlertsSettings.load({f"WAYMARK_ALERTS_{name}": text})

    assert f"WAYMARK_ALERTS_{name}" in caught.value.problems[0]


def test_loopback_targets_are_refused_where_the_api_listens_to_others() -> None:
    environ = {"WAYMARK_ALERTS_ALLOW_PRIVATE_TARGETS": "true", "WAYMARK_ALERTS_HOST": "0.0.0.0"}

    with pytest.raises(SettingsError):
        AlertsSettings.load(environ)


def test_loopback_targets_are_fine_on_one_machine() -> None:
    assert AlertsSettings.load({"WAYMARK_ALERTS_ALLOW_PRIVATE_TARGETS": "true"}).allow_private_targets
