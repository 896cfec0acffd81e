"""What can be set about ingest: `WAYMARK_INGEST_*`, each with its unit, and the shared `WAYMARK_*`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, field_validator

from schemas.identifiers.telephone import known_region
from services.runtime.addresses import value_forms
from services.runtime.settings import CommonSettings, Settings, load_with_common


def _model_place(text: str) -> str:
    """An http address, the name of an entry point, or nothing."""
    if "://" in text:
        return value_forms.web_address(text)
    if not re.fullmatch(r"[A-Za-z0-9._-]{0,100}", text):
        msg = "is neither a web address nor the name of an entry point; give one such as http://sentiment.internal/read"
        raise ValueError(msg)
    return text


class IngestSettings(Settings):
    """The settings of ingest alone."""

    env_prefix = "WAYMARK_INGEST_"
    verbatim = frozenset({"key_secret", "privacy_secret"})  # keys of what is stored: to change them changes that

    host: value_forms.Host = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65_535, description="Port to listen on; 0 takes a free one.")
    path_prefix: value_forms.PathPrefix = Field(
        "",
        description="Path (`/waymark`) that a proxy leaves before ours; empty where it takes it off.",
    )
    max_body_bytes: int = Field(4 * 1024 * 1024, ge=1024, description="Longest body on the wire, in bytes.")
    max_inflated_bytes: int = Field(16 * 1024 * 1024, ge=1024, description="Longest body once inflated, in bytes.")
    max_items: int = Field(1000, ge=1, le=100_000, description="Most touchpoints in one request.")
    max_item_bytes: int = Field(64 * 1024, ge=1024, description="Longest single touchpoint, in bytes of its JSON.")
    max_depth: int = Field(16, ge=4, le=100, description="Deepest nesting of one touchpoint, in levels.")
    body_timeout_s: float = Field(10.0, gt=0, description="Seconds within which a body must have arrived.")
    publish_timeout_s: float = Field(
        3.0, gt=0, le=600, description="Seconds that Kafka has to take a record, else 503."
    )
    dead_letter_timeout_s: float = Field(1.0, gt=0, description="Most seconds an answer waits for its dead letters.")
    retry_after_s: int = Field(5, ge=1, le=300, description="Seconds in the Retry-After of a 503.")
    max_in_flight_requests: int = Field(1000, ge=1, description="Most requests being served at once, then 503.")
    max_in_flight_bytes: int = Field(
        128 * 1024 * 1024, ge=1024, description="Most bytes of bodies held at once, inflated, then 503."
    )
    requests_per_s: float = Field(
        5_000.0, ge=0, description="Requests a second that one source may send to one replica, then 429; 0: no limit."
    )
    touchpoints_per_s: float = Field(
        50_000.0, ge=0, description="Touchpoints a second that one source may send to one replica; 0: no limit."
    )
    burst_s: float = Field(2.0, ge=0.1, le=3600, description="Seconds' worth of those that may come at once.")
    wrong_keys_per_minute: int = Field(
        60, ge=0, description="Wrong keys that one address may present in a minute, then 429; 0: no limit."
    )
    trusted_proxies: value_forms.Networks = Field(
        "", description="Networks of the proxies whose X-Forwarded-For is believed, `10.0.0.0/8, 192.0.2.7`."
    )
    inspector_entries: int = Field(
        200,
        ge=0,
        description="Touchpoints taken, and as many refused, that the inspector keeps of each source; 0: none.",
    )
    inspector_bytes: int = Field(
        256 * 1024, ge=1024, description="Bytes that it keeps of each source's taken touchpoints, and of the refused."
    )
    inspector_all_bytes: int = Field(
        32 * 1024 * 1024, ge=1024, description="Bytes that it keeps of all sources; who sent least lately is forgotten."
    )
    inspector_streams: int = Field(50, ge=0, description="Most people who may follow the inspector live, per replica.")
    journey_api: value_forms.WebAddress = Field(
        "",
        description="Where the journey API answers, so that the inspector can say what became of touchpoints later.",
    )
    outcomes_secret: SecretStr = Field(
        SecretStr(""),
        description="What ingest presents there, 32 characters or more; the same as "
        "WAYMARK_JOURNEY_API_OUTCOMES_SECRET. Empty: nobody is asked.",
    )
    remembered_ids: int = Field(
        100_000, ge=0, description="How many acknowledged ids each replica remembers to answer `duplicate`; 0: none."
    )
    future_tolerance_s: float = Field(300.0, ge=0, description="Seconds that occurred_at may be ahead of our clock.")
    skew_window_s: float = Field(3600.0, gt=0, description="Seconds that a request tells of its device's clock.")
    skew_quantum_s: float = Field(300.0, gt=0, description="Steps in which the times of a device are shifted, seconds.")
    skew_least_s: float = Field(60.0, ge=0, description="Seconds of skew below which nothing is shifted.")
    remembered_clocks: int = Field(50_000, ge=1, description="How many devices' clocks each replica remembers.")
    phone_region: Annotated[str, AfterValidator(known_region)] = Field(
        "KR", description="Region of phone numbers written without a country code."
    )
    key_secret: SecretStr = Field(
        SecretStr(""),
        description="Secret of the HMAC that makes a Kafka key of an identifier; the same for all replicas, for ever. "
        "Empty is for trying things out: keys can then be guessed from identifiers.",
    )
    privacy: value_forms.FileName = Field(
        "", description="YAML file that says what is kept, dropped, hashed or encrypted; empty keeps everything."
    )
    privacy_secret: SecretStr = Field(
        SecretStr(""),
        description="Secret of the pseudonyms (hmac) and of the suppression list, 32 characters or more; the same for "
        "all replicas and, as WAYMARK_JOURNEY_API_PRIVACY_SECRET, for the read API, for ever.",
    )
    privacy_keys: SecretStr = Field(
        SecretStr(""),
        description="Keys of what the policy encrypts, comma separated, 32 characters or more; the first encrypts, "
        "every one opens.",
    )
    sentiment_from_text: bool = Field(
        True, description="Whether ingest computes `sentiment` from what customers write, where producers say none."
    )
    sentiment: value_forms.FileName = Field(
        "", description="YAML file with words of your own for that, laid over those that are shipped."
    )
    sentiment_model: Annotated[str, AfterValidator(_model_place)] = Field(
        "",
        description="Model of your own for that: an http address, **which customers' texts are then sent to**, or the "
        "name of an entry point `waymark.sentiment_models`. Empty: the word lists alone.",
    )
    sentiment_model_key: SecretStr = Field(
        SecretStr(""), description="What that address is sent as `Authorization: Bearer`; empty: nothing."
    )
    sentiment_model_timeout_s: float = Field(
        0.5, gt=0, le=10, description="Most seconds that a request waits for the model; then the word lists stand in."
    )
    keys_refresh_s: float = Field(
        5.0, gt=0, description="Seconds between readings of the source keys: how long a revoked one lives."
    )
    systems: value_forms.FolderName = Field(
        "", description="Folder with your own channel systems (YAML) besides those that are shipped."
    )
    public_url: value_forms.WebAddress = Field(
        "",
        description="Where vendors reach ingest from outside, such as https://waymark.example.com; some sign it.",
    )
    webhook_timeout_s: float = Field(
        1.5,
        gt=0,
        description="Seconds that a webhook's touchpoints have to be written, else 503: vendors wait 2 to 15.",
    )
    secret_keys: SecretStr = Field(
        SecretStr(""),
        description="Master keys that seal channel systems' secrets, comma separated, 32 characters or more each; the "
        "first is for new secrets. Empty: secrets stand in the database as they are.",
    )
    secrets_dir: value_forms.FolderName = Field(
        "", description="Folder with mounted secrets of channel systems, one file each."
    )
    drain_s: float = Field(15.0, gt=0, description="Seconds that open requests have to finish after SIGTERM.")

    @field_validator("secret_keys", "privacy_secret", "privacy_keys", "outcomes_secret")
    @classmethod
    def _are_long(cls, keys: SecretStr) -> SecretStr:
        if any(len(key) < 32 for key in _words(keys.get_secret_value())):
            msg = "each key needs 32 characters or more"
            raise ValueError(msg)
        return keys

    @field_validator("sentiment_model_key")
    @classmethod
    def _fits_a_header(cls, key: SecretStr) -> SecretStr:
        if not re.fullmatch(r"[!-~]*", key.get_secret_value()):
            msg = "is no key: use letters, digits and signs of ASCII, without blanks"
            raise ValueError(msg)
        return key

    @property
    def names_endpoint(self) -> bool:
        """Whether `sentiment_model` is an address, and no entry point."""
        return "://" in self.sentiment_model

    @property
    def master_keys(self) -> tuple[str, ...]:
        """`secret_keys` as values; the first is for new secrets."""
        return tuple(_words(self.secret_keys.get_secret_value()))

    @property
    def sealing_keys(self) -> tuple[str, ...]:
        """`privacy_keys` as values; the first is for new values."""
        return tuple(_words(self.privacy_keys.get_secret_value()))

    @property
    def trusted_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks of `trusted_proxies`."""
        return _networks(self.trusted_proxies)


def _words(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestProcessSettings:
    """Everything that the ingest process reads."""

    common: CommonSettings
    ingest: IngestSettings

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> Self:
        """Read both parts from `environ`.

        Raises:
            SettingsError: with the problems of both.
        """
        common, ingest = load_with_common(environ, IngestSettings)
        return cls(common=common, ingest=ingest)
