"""The settings of the console: environment variables `WAYMARK_CONSOLE_*`, each with its unit, and shared ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from pydantic import Field, SecretStr, field_validator

from services.runtime.addresses import value_forms
from services.runtime.settings import CommonSettings, Settings, load_with_common


class ConsoleSettings(Settings):
    """The settings of the console alone."""

    env_prefix = "WAYMARK_CONSOLE_"

    host: value_forms.Host = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8083, ge=0, le=65_535, description="Port to listen on; 0 takes a free one.")
    path_prefix: value_forms.PathPrefix = Field(
        "", description="Path (`/waymark`) that a proxy leaves before ours; empty where it takes it off."
    )
    public_url: value_forms.WebAddress = Field(
        "",
        description="Address of the console as browsers reach it. With https the session's cookie is sent over TLS "
        "alone, and with a path to addresses below it alone.",
    )
    ingest_url: value_forms.WebAddress = Field("http://127.0.0.1:8080", description="Address of ingest.")
    journey_url: value_forms.WebAddress = Field("http://127.0.0.1:8081", description="Address of the journey API.")
    alerts_url: value_forms.WebAddress = Field("http://127.0.0.1:8082", description="Address of alerts.")
    session_keys: SecretStr = Field(
        SecretStr(""),
        description="Master keys that seal sessions, comma separated, 32 characters or more each; the first is for new "
        "ones; the same in every replica. Empty: one made at the start, so that a restart signs everybody out.",
    )
    session_hours: float = Field(12.0, gt=0, le=168, description="Hours after which people sign in again.")
    answer_within_s: float = Field(
        15.0, gt=0, le=300, description="Seconds that an API has to answer; a live stream may be silent for 45."
    )
    stream_clients: int = Field(500, ge=1, description="Most live streams through this process.")
    drain_s: float = Field(10.0, gt=0, le=25, description="Seconds that open requests have to finish after SIGTERM.")

    @field_validator("ingest_url", "journey_url", "alerts_url")
    @classmethod
    def _is_given(cls, url: str) -> str:
        if not url:
            msg = "is empty; give the address of the service"
            raise ValueError(msg)
        return url.rstrip("/")

    @field_validator("session_keys")
    @classmethod
    def _long_keys(cls, keys: SecretStr) -> SecretStr:
        if any(len(key) < 32 for key in value_forms.words(keys.get_secret_value())):
            msg = "a master key has at least 32 characters"
            raise ValueError(msg)
        return keys

    @property
    def master_keys(self) -> tuple[str, ...]:
        """The keys that seal sessions, the one for new ones first; none where a random one is to be made."""
        return tuple(value_forms.words(self.session_keys.get_secret_value()))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleProcessSettings:
    """All settings of the console's process."""

    common: CommonSettings
    console: ConsoleSettings

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> Self:
        """Read both parts from `environ`.

        Raises:
            SettingsError: with the problems of both.
        """
        common, console = load_with_common(environ, ConsoleSettings)
        return cls(common=common, console=console)
