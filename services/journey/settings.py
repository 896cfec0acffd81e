"""The settings of the journey worker: environment variables `WAYMARK_JOURNEY_*`, and the shared `WAYMARK_*`.

Thresholds and windows are left to the rulebook, the settings of the read API to `services.journey.api.api_settings`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from pydantic import Field

from services.runtime.addresses import value_forms
from services.runtime.settings import CommonSettings, Settings, load_with_common

API_PREFIX = "WAYMARK_JOURNEY_API_"
"""Names that belong to the read API's settings, which the worker must not take for misspelt ones of its own."""


class WorkerSettings(Settings):
    """The worker's own settings. Durations are seconds."""

    env_prefix = "WAYMARK_JOURNEY_"

    host: value_forms.Host = Field("127.0.0.1", description="Address that health and metrics listen on.")
    port: int = Field(9101, ge=0, le=65_535, description="Port of health and metrics; 0 takes a free one.")
    group: value_forms.Name = Field(
        "waymark-journey", description="Kafka consumer group; no offsets are kept in it, it may change."
    )
    rules: value_forms.FileName = Field(
        "",
        description="File with rules to begin with, applied once; empty: the shipped ones. Later: waymark rules apply.",
    )
    session_timeout_s: float = Field(
        6.0, gt=0, le=1800, description="Silence after which the group takes a worker for dead."
    )
    batch_records: int = Field(10_000, ge=1, description="Most records in one transaction.")
    batch_target_s: float = Field(2.0, gt=0, description="How long a full transaction shall take: sizes the batches.")
    batch_every_s: float = Field(
        0.05, ge=0, description="Least time from the start of one transaction to the next: small ones cost the most."
    )
    queue_records: int = Field(60_000, ge=1, description="Records fetched ahead of the database.")
    queue_bytes: int = Field(64 * 1024 * 1024, ge=1, description="Bytes of values fetched ahead of the database.")
    history_touchpoints: int = Field(
        2_000, ge=10, description="Most touchpoints of a customer, the latest, that are projected."
    )
    kept_bytes: int = Field(
        128 * 1024 * 1024, ge=0, description="Bytes of customers with long histories kept in memory; 0 keeps none."
    )
    database_connections: int = Field(8, ge=3, le=200, description="Size of the PostgreSQL pool.")
    late_after_s: float = Field(72 * 3600.0, gt=0, description="Touchpoints received later are kept, not projected.")
    stale_after_s: float = Field(24 * 3600.0, gt=0, description="Frictions about older anchors are published quiet.")
    late_grace_s: float = Field(300.0, ge=0, description="How far the stream must have passed a timer before it fires.")
    replay_quiet_s: float = Field(
        60.0, ge=0, description="Stream time without a replayed touchpoint after which an import counts as finished."
    )
    timers_every_s: float = Field(1.0, gt=0, description="Pause between two looks for due timers.")
    relay_every_s: float = Field(1.0, gt=0, description="Pause between two looks for unpublished records.")
    lease_s: float = Field(30.0, gt=0, le=86_400, description="How long a relay may take to publish what it claimed.")
    keep_published_days: int = Field(
        30, ge=1, le=36_500, description="Days that published frictions are kept for a new line."
    )
    publish_journeys: bool = Field(True, description="Publish every change of a journey on the topic `journeys`.")
    dead_letter_ratio: float = Field(
        0.5, gt=0, le=1, description="Share of dead letters among the latest thousand records that stops the worker."
    )
    dead_letter_run: int = Field(200, ge=1, description="Dead letters in an unbroken row that stop the worker.")
    stuck_after_s: float = Field(50.0, gt=0, description="Lag without progress after which a worker ends itself.")
    stop_within_s: float = Field(25.0, gt=0, description="Longest orderly shutdown; then the process ends anyway.")

    @classmethod
    def _unknown(cls, environ: Mapping[str, str], known: Mapping[str, str]) -> list[str]:
        return super()._unknown({k: v for k, v in environ.items() if not k.startswith(API_PREFIX)}, known)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerProcessSettings:
    """All settings of the worker's process."""

    common: CommonSettings
    worker: WorkerSettings

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> Self:
        """Read both parts from `environ`.

        Raises:
            SettingsError: with the problems of both.
        """
        common, worker = load_with_common(environ, WorkerSettings)
        return cls(common=common, worker=worker)
