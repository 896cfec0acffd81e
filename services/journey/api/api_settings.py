"""The settings of the read API: environment variables `WAYMARK_JOURNEY_API_*`, each with its unit, and shared ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, field_validator

from schemas.identifiers.telephone import known_region
from services.journey.settings import WorkerSettings
from services.runtime.addresses import value_forms
from services.runtime.settings import CommonSettings, Settings, load_with_common


class ApiSettings(Settings):
    """The settings of the read API alone."""

    env_prefix = "WAYMARK_JOURNEY_API_"
    verbatim = frozenset({"privacy_secret"})  # the same as ingest's, to the letter

    host: value_forms.Host = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8081, ge=0, le=65_535, description="Port to listen on; 0 takes a free one.")
    path_prefix: value_forms.PathPrefix = Field(
        "",
        description="Path (`/waymark`) that a proxy leaves before ours; empty where it takes it off.",
    )
    database_connections: int = Field(8, ge=1, le=200, description="Size of the PostgreSQL pool.")
    statement_timeout_s: float = Field(
        5.0, gt=0, le=3600, description="Seconds after which PostgreSQL gives up on one query."
    )
    phone_region: Annotated[str, AfterValidator(known_region)] = Field(
        "KR", description="Region of phone numbers without a country code; the same as ingest's."
    )
    privacy_secret: SecretStr = Field(
        SecretStr(""),
        description="The same as ingest's, where ingest publishes pseudonyms: then a lookup by the clear identifier "
        "finds them. Empty: only what was published in clear.",
    )
    outcomes_secret: SecretStr = Field(
        SecretStr(""),
        description="What ingest presents to ask what became of touchpoints (WAYMARK_INGEST_OUTCOMES_SECRET), 32 "
        "characters or more. Empty: nobody may ask.",
    )
    keys_for_people: value_forms.KeyIds = Field(
        "",
        description="Ids (the third part of `wm_agent_…`) of the console's own keys, comma separated: with these alone "
        "a request may say which person acts.",
    )
    alerts: value_forms.WebAddress = Field(
        "",
        description="Where the alert service answers, so that a customer is told with the open issues. Empty: without.",
    )
    history_touchpoints: int = Field(
        2000, ge=10, description="Latest touchpoints of a customer that `as_of` looks at; the same as the worker's."
    )
    heartbeat_s: float = Field(15.0, gt=0, description="Seconds between signs of life on the live streams.")
    stream_clients: int = Field(500, ge=1, description="Most clients of the live streams in this process.")
    stream_queue: int = Field(256, ge=1, description="Events that a client may be behind before it is disconnected.")
    trial_processes: int = Field(
        1, ge=0, le=64, description="Processes of a backtest that a caller asks for; 0: none may be asked for."
    )
    trial_limit_s: float = Field(600.0, gt=0, description="Seconds after which a backtest of a caller is ended.")
    drain_s: float = Field(10.0, gt=0, description="Seconds that open requests have to finish after SIGTERM.")

    @field_validator("outcomes_secret")
    @classmethod
    def _is_long(cls, secret: SecretStr) -> SecretStr:
        if 0 < len(secret.get_secret_value()) < 32:
            msg = "it needs 32 characters or more"
            raise ValueError(msg)
        return secret


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiProcessSettings:
    """All settings of the process of the read API; it projects customers anew as a worker with these settings does."""

    common: CommonSettings
    api: ApiSettings
    worker: WorkerSettings

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> Self:
        """Read both parts from `environ`.

        Raises:
            SettingsError: with the problems of both.
        """
        common, api = load_with_common(environ, ApiSettings)
        return cls(common=common, api=api, worker=WorkerSettings.load(environ))
