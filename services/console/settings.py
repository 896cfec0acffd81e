"""The settings of the console: environment variables `WAYMARK_CONSOLE_*`, each with its unit, and shared ones."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from services.console.roles import RoleMapping, parse_mapping
from services.runtime.addresses import value_forms
from services.runtime.credentials.api_keys import KeyKind, parse
from services.runtime.settings import CommonSettings, Settings, load_with_common

_OWN_KINDS = (KeyKind.READER, KeyKind.AGENT, KeyKind.ADMIN)


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
    oidc_issuer: value_forms.WebAddress = Field(
        "",
        description="Issuer of the company's OpenID Connect provider, as its discovery document writes it; people sign "
        "in there besides with keys. Needs the client id, the roles, the console's keys and its public address.",
    )
    oidc_name: value_forms.Name = Field("", description="What people call the provider; stands on the button.")
    oidc_client_id: value_forms.Name = Field("", description="The console's client id at the provider.")
    oidc_client_secret: SecretStr = Field(
        SecretStr(""), description="The client's secret; empty for a public client, which PKCE protects."
    )
    oidc_scopes: value_forms.Name = Field("openid profile email", description="What is asked for, parted by blanks.")
    oidc_name_claim: value_forms.Name = Field("name", description="Claim of the ID token with the person's name.")
    oidc_role_claim: value_forms.Name = Field(
        "groups",
        description="Claim that says what somebody is, a text or a list; dots lead into nested ones "
        "(`realm_access.roles`). With `email` only verified addresses count.",
    )
    oidc_roles: str = Field(
        "",
        description="Roles by values of that claim: VALUE=ROLE, comma separated, the first that fits decides; `*` is "
        "everybody. Roles: reader, agent, lead, analyst, operator. Nobody enters without one.",
    )
    keys: SecretStr = Field(
        SecretStr(""),
        description="The console's own keys, comma separated, one each of reader, agent and admin: they serve whoever "
        "the provider signed in.",
    )
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

    @field_validator("oidc_issuer")
    @classmethod
    def _with_tls(cls, issuer: str) -> str:
        if issuer.startswith("http:") and urlsplit(issuer).hostname not in {"127.0.0.1", "::1", "localhost"}:
            msg = "is without TLS; give an https address (http is for this machine alone)"
            raise ValueError(msg)
        return issuer

    @field_validator("oidc_scopes")
    @classmethod
    def _has_openid(cls, scopes: str) -> str:
        if "openid" not in scopes.split():
            msg = "lacks openid, without which there is no ID token"
            raise ValueError(msg)
        return scopes

    @field_validator("oidc_roles")
    @classmethod
    def _is_mapping(cls, text: str) -> str:
        parse_mapping(text)
        return text

    @field_validator("keys")
    @classmethod
    def _one_of_each(cls, keys: SecretStr) -> SecretStr:
        given = value_forms.words(keys.get_secret_value())
        kinds = [found.kind for key in given if (found := parse(key)) is not None]
        if given and sorted(kinds) != sorted(_OWN_KINDS):
            msg = "gives not one key each of reader, agent and admin, as `waymark keys create --role` makes them"
            raise ValueError(msg)
        return keys

    def contradictions(self) -> Iterable[str]:
        """A provider alone signs nobody in."""
        if self.oidc_issuer:
            for field in ("oidc_client_id", "oidc_roles", "keys", "public_url"):
                value = getattr(self, field)
                if not (value.get_secret_value() if isinstance(value, SecretStr) else value):
                    yield f"{self.variable_of(field)}: is empty; {self.variable_of('oidc_issuer')} needs it"

    @property
    def role_mapping(self) -> RoleMapping:
        """Which values of the role claim make which role."""
        return parse_mapping(self.oidc_roles)

    @property
    def own_keys(self) -> Mapping[KeyKind, str]:
        """The console's own keys, by kind; none where people sign in with theirs alone."""
        found = ((parse(key), key) for key in value_forms.words(self.keys.get_secret_value()))
        return {presented.kind: key for presented, key in found if presented is not None}

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
