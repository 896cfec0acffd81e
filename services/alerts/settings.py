"""The settings of the alerts process: `WAYMARK_ALERTS_*`, each with its unit, and the shared `WAYMARK_*`."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from services.alerts.notify.decision import DEFAULT_NOTIFY_ON, NOTIFICATION_TYPES, NotificationReason
from services.alerts.outbreaks.detection import OutbreakLimits, parse_limits
from services.runtime.addresses import value_forms
from services.runtime.settings import CommonSettings, Settings, load_with_common


class AlertsSettings(Settings):
    """The settings of the alert service alone."""

    env_prefix = "WAYMARK_ALERTS_"

    host: value_forms.Host = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8082, ge=0, le=65_535, description="Port to listen on; 0 takes a free one.")
    path_prefix: value_forms.PathPrefix = Field(
        "",
        description="Path (`/waymark`) that a proxy passes on before ours; empty if it removes it.",
    )
    public_url: value_forms.WebAddress = Field(
        "",
        description="Address of the console as people reach it; messages link to it, and `/` of this API leads there.",
    )
    actions_url: value_forms.WebAddress = Field(
        "",
        description="Address of this API as people's browsers reach it; messages then hold a signed link to take an "
        "issue. Needs a master key.",
    )
    keys_for_people: value_forms.KeyIds = Field(
        "",
        description="Ids (the third part of `wm_agent_…`) of the console's own keys, comma separated: with these alone "
        "a request may say which person acts.",
    )
    group: value_forms.Name = Field(
        "waymark-alerts", description="Kafka consumer group; it distributes partitions, not offsets."
    )
    frictions_topic: value_forms.TopicName = Field("frictions", description="Topic to read frictions from.")
    journeys_topic: value_forms.TopicName = Field(
        "journeys", description="Topic to read journeys from, so that open issues say what happened since."
    )
    follow_journeys: bool = Field(True, description="Read journeys; without, issues say what their frictions say.")
    issues_topic: value_forms.TopicName = Field("issues", description="Topic to publish issues on.")
    session_timeout_s: float = Field(
        6.0, ge=1, le=1800, description="Seconds after which a silent replica loses its partitions."
    )
    batch: int = Field(500, ge=1, le=5000, description="Most frictions in one transaction.")
    poison_limit: int = Field(
        200, ge=1, description="Dead letters in a row after which the process stops: it is more likely at fault."
    )
    reopen_window_s: float = Field(
        7 * 86_400.0, ge=0, description="Seconds after a resolution in which a new friction reopens the issue."
    )
    outbreaks: str = Field(
        "*=10x4",
        description="When frictions are an outbreak, by rule: RULE=FLOORxFACTOR (at least so many in five minutes, "
        "so many times the usual) or RULE=off, comma separated; `*` is every other rule.",
    )
    hand_out: int = Field(
        10,
        ge=1,
        le=1000,
        description="Open issues a minute that an outbreak which is over hands out, the most urgent first.",
    )
    watch_days: float = Field(
        7.0,
        ge=0,
        le=90,
        description="Days after a resolution in which the customer is watched: do they come back? 0: not.",
    )
    notify_on: str = Field(
        ",".join(sorted(DEFAULT_NOTIFY_ON)),
        description="Reasons to notify people, comma separated; see docs/alerts.md.",
    )
    secret_keys: SecretStr = Field(
        SecretStr(""),
        description="Master keys of signing secrets and vendors' credentials, comma separated, 32 characters or more "
        "each; the first is for new ones. Empty: signing secrets stand in the database as they are, and endpoints that "
        "need a vendor's credentials are refused.",
    )
    secret_keys_file: str = Field(
        "",
        description="File with master keys, one a line, the first for new secrets; instead of SECRET_KEYS, for secrets "
        "that are mounted.",
    )
    allow_private_targets: bool = Field(
        False, description="Allow webhooks to this machine (127.0.0.0/8, ::1), over http too; for the local stack."
    )
    allow_http: bool = Field(False, description="Allow webhooks over plain http.")
    allowed_networks: str = Field(
        "", description="Private networks of receivers inside the company, as CIDR, comma separated."
    )
    target_ports: str = Field("80,443,8443", description="Ports that webhooks may go to, comma separated.")
    lease_s: float = Field(
        60.0,
        gt=20,
        le=86_400,
        description="Seconds that a lease on a delivery lasts; more than the 15 s of an attempt.",
    )
    in_flight: int = Field(256, ge=1, le=1000, description="Most webhooks in flight at once in this process.")
    poll_s: float = Field(
        1.0, gt=0, description="Seconds between two polls for due deliveries, in case a wake-up is lost."
    )
    heartbeat_s: float = Field(15.0, gt=0, description="Seconds between signs of life on the live stream.")
    stream_clients: int = Field(500, ge=1, description="Most clients of the live stream in this process.")
    stream_queue: int = Field(256, ge=1, description="Events that a client may be behind before it is disconnected.")
    feed_days: float = Field(7.0, gt=0, le=36_500, description="Days after which the live stream cannot be resumed.")
    history_days: float = Field(
        90.0, gt=0, le=36_500, description="Days that attempts and delivered messages are kept."
    )
    keys_refresh_s: float = Field(5.0, gt=0, description="Seconds until a revoked key stops working.")
    drain_s: float = Field(
        10.0, gt=0, le=25, description="Seconds that requests and webhooks may take to end on SIGTERM."
    )

    @field_validator("notify_on")
    @classmethod
    def _known_reasons(cls, text: str) -> str:
        unknown = sorted(set(_words(text)) - {reason.value for reason in NOTIFICATION_TYPES})
        if unknown:
            raise ValueError(
                f"holds no reason to tell; there are {', '.join(sorted(reason.value for reason in NOTIFICATION_TYPES))}"
            )
        return text

    @field_validator("outbreaks")
    @classmethod
    def _readable_limits(cls, text: str) -> str:
        parse_limits(text)
        return text

    @field_validator("secret_keys")
    @classmethod
    def _long_keys(cls, keys: SecretStr) -> SecretStr:
        if any(len(key) < 32 for key in _words(keys.get_secret_value())):
            raise ValueError("a master key has at least 32 characters")
        return keys

    @field_validator("secret_keys_file")
    @classmethod
    def _readable_keys(cls, path: str, info: ValidationInfo) -> str:
        if not path:
            return path
        given = info.data.get("secret_keys")
        if isinstance(given, SecretStr) and given.get_secret_value():
            raise ValueError("give WAYMARK_ALERTS_SECRET_KEYS or a file, not both")
        try:
            keys = _lines(path)
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"the file cannot be read: {type(error).__name__}") from None
        if not keys or any(len(key) < 32 for key in keys):
            raise ValueError("the file has one master key a line, of at least 32 characters each")
        return path

    @field_validator("allowed_networks")
    @classmethod
    def _networks(cls, text: str) -> str:
        for number, word in enumerate(_words(text), start=1):
            try:
                ip_network(word)
            except ValueError:
                msg = f"word {number} is no network; give networks such as 10.0.0.0/8, whose last bits are 0"
                raise ValueError(msg) from None
        return text

    @field_validator("target_ports")
    @classmethod
    def _ports(cls, text: str) -> str:
        if any(not word.isdigit() or not 0 < int(word) < 65_536 for word in _words(text)):
            raise ValueError("ports are numbers from 1 to 65535")
        return text

    @field_validator("allow_private_targets")
    @classmethod
    def _private_targets_stay_private(cls, allowed: bool, info: ValidationInfo) -> bool:
        if allowed and not _is_loopback(str(info.data.get("host", ""))):
            raise ValueError(
                "this is for a stack on one machine and is refused where the API listens to others; for receivers "
                "inside the company set WAYMARK_ALERTS_ALLOWED_NETWORKS"
            )
        return allowed

    @property
    def reasons(self) -> frozenset[NotificationReason]:
        """The reasons in `notify_on` as values."""
        return frozenset(NotificationReason(word) for word in _words(self.notify_on))

    @property
    def outbreak_limits(self) -> OutbreakLimits:
        """The limits in `outbreaks` as values."""
        return parse_limits(self.outbreaks)

    @property
    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks in `allowed_networks` as values."""
        return tuple(ip_network(word) for word in _words(self.allowed_networks))

    @property
    def ports(self) -> frozenset[int]:
        """The ports in `target_ports` as numbers."""
        return frozenset(int(word) for word in _words(self.target_ports))

    @property
    def master_keys(self) -> tuple[str, ...]:
        """The keys in `secret_keys` or its file; the first one is for new secrets."""
        if self.secret_keys_file:
            return tuple(_lines(self.secret_keys_file))
        return tuple(_words(self.secret_keys.get_secret_value()))


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _lines(path: str) -> list[str]:
    return [line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsProcessSettings:
    """All settings that the alerts process reads."""

    common: CommonSettings
    alerts: AlertsSettings

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> Self:
        """Load the shared settings and those of alerts from `environ`.

        Raises:
            SettingsError: with the problems of both.
        """
        common, alerts = load_with_common(environ, AlertsSettings)
        return cls(common=common, alerts=alerts)
