"""How a process reads its settings: once, from a mapping, with every problem reported together.

Each service declares its own fields beside the code that reads them, as a subclass of `Settings` with a prefix of its
own; what all processes share stands in `CommonSettings`. Names that carry a service's prefix but belong to no field are
refused: a misspelt variable must not silently leave a default in force. No problem quotes what was given, which may be
a secret, or one in the wrong variable.
"""

import ssl
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cached_property
from typing import Any, ClassVar, Literal, Self, TypeVar, cast, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo

from services.runtime.addresses import postgres_url, value_forms
from services.runtime.addresses.brokers import BrokerAccess, Brokers, check_servers

SHARED_PREFIX = "WAYMARK_"

MOST_INTEGER = 2**40
"""Of a whole number that states no bound of its own: beyond it nobody means it."""

MOST_NUMBER = 1e9
"""Of any other number: as seconds, 31 years."""


class SettingsError(Exception):
    """The environment does not make a valid configuration; `problems` lists all that is wrong, one line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Settings(BaseModel):
    """Base of all settings: frozen, and read only from the mapping that is given to `load`."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True, allow_inf_nan=False
    )

    env_prefix: ClassVar[str]
    """What the names of this service's variables start with, `WAYMARK_INGEST_` for example."""

    verbatim: ClassVar[frozenset[str]] = frozenset()
    """Fields whose value is taken as it is, blanks and line breaks at its ends included."""

    @classmethod
    def variable_of(cls, field: str) -> str:
        """Return the name of the environment variable that sets `field`."""
        return f"{cls.env_prefix}{field}".upper()

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> Self:
        """Build the settings from `environ`.

        Raises:
            SettingsError: with one line per problem, each naming the variable.
        """
        known = {cls.variable_of(field): field for field in cls.model_fields}
        given, problems = cls._given(environ, known)
        problems = [*cls._unknown(environ, known), *problems]
        settings: Self | None = None
        try:
            settings = cls.model_validate(given)
        except ValidationError as error:
            problems += [cls._problem(item) for item in error.errors(include_input=False)]
        if settings is not None:
            problems += settings.contradictions()
        if settings is None or problems:
            raise SettingsError(problems)  # out of the handler: the error that was caught knows what was given
        return settings

    def contradictions(self) -> Iterable[str]:
        """Return the settings that contradict one another, one line each, naming the variables."""
        return ()

    @classmethod
    def _given(cls, environ: Mapping[str, str], known: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
        """Return what is set, by field, without blanks at the ends, and what no setting can hold."""
        given, problems = {}, []
        for variable, field in known.items():
            text = environ.get(variable, "")
            if field not in cls.verbatim:
                text = text.strip()
            if not text:
                continue
            if any("\ud800" <= character <= "\udfff" for character in text):
                problems.append(f"{variable}: holds bytes that are not UTF-8")
            elif field not in cls.verbatim and any(ord(character) < 32 for character in text):
                problems.append(f"{variable}: holds a line break or another control character")
            elif (problem := _too_large(cls.model_fields[field], text)) is not None:
                problems.append(f"{variable}: {problem}")
            else:
                given[field] = text
        return given, problems

    @classmethod
    def _problem(cls, item: Any) -> str:
        """Return the line for one error of pydantic's."""
        location = item["loc"]
        if not location:
            return f"{cls._named(location)}: {_reason(item)}"
        field = cls.model_fields[str(location[0])]
        told = _expected(field) or _reason(item)
        return f"{cls._named(location)}: {told}"

    @classmethod
    def _named(cls, location: tuple[int | str, ...]) -> str:
        """Return the variable that is wrong, or all of them where they do not fit together."""
        return cls.variable_of(str(location[0])) if location else f"{cls.env_prefix}*"

    @classmethod
    def _unknown(cls, environ: Mapping[str, str], known: Mapping[str, str]) -> list[str]:
        if cls.env_prefix == SHARED_PREFIX:  # the names of every service are legitimate there
            return []
        problems = []
        for name in sorted(environ):
            if name.startswith(cls.env_prefix) and name not in known:
                close = get_close_matches(name, known, n=1)
                hint = f"; did you mean {close[0]}?" if close else ""
                problems.append(f"{name}: no such setting{hint}")
        return problems


class CommonSettings(Settings):
    """What every process of Waymark reads."""

    env_prefix = SHARED_PREFIX
    verbatim = frozenset({"kafka_sasl_password", "kafka_key_password"})

    kafka: str = Field("127.0.0.1:9092", description="Bootstrap servers of Kafka, `host:port`, comma separated.")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT",
        description="How Kafka is spoken to, by Kafka's own names: PLAINTEXT, SSL (TLS), SASL_PLAINTEXT (user and "
        "password, not encrypted), SASL_SSL (user and password over TLS; what managed clusters ask for).",
    )
    kafka_sasl_mechanism: Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "", description="How user and password are shown: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512. For SASL_* alone."
    )
    kafka_sasl_username: str = Field("", description="User of Kafka, for SASL_* alone; with some clusters an API key.")
    kafka_sasl_password: SecretStr = Field(SecretStr(""), description="The user's password, or the API key's secret.")
    kafka_ca_file: value_forms.FileName = Field(
        "", description="PEM file with the authorities whose brokers are believed; empty: those this machine trusts."
    )
    kafka_cert_file: value_forms.FileName = Field(
        "", description="PEM file with our own certificate (and what signed it), where brokers ask for one: mutual TLS."
    )
    kafka_key_file: value_forms.FileName = Field(
        "", description="PEM file with the key of that certificate, if not in it."
    )
    kafka_key_password: SecretStr = Field(SecretStr(""), description="Password of that key, where it is encrypted.")
    postgres: SecretStr = Field(
        SecretStr("postgresql://waymark@127.0.0.1:5432/waymark"),
        description="URL of the PostgreSQL database; characters such as / # @ ? of the password as %2F %23 %40 %3F.",
    )
    postgres_pooler: Literal["none", "session", "transaction"] = Field(
        "none",
        description="What WAYMARK_POSTGRES leads through: `none`, or the pool_mode of a pooler such as PgBouncer.",
    )
    postgres_direct: SecretStr = Field(
        SecretStr(""),
        description="URL past the pooler, for what needs a session of its own and for `waymark migrate`. Empty: "
        "WAYMARK_POSTGRES. A pooler in transaction mode needs it.",
    )
    kafka_idempotence: bool = Field(
        True, description="Use the idempotent producer. Only the embedded broker, which has none, needs `false`."
    )
    kafka_line: value_forms.Name = Field(
        "",
        description="Name of the life of the log that offsets belong to; empty means the cluster's id. "
        "The embedded broker, which forgets everything at a restart, gets a fresh one at each start.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")
    log_format: Literal["json", "text"] = Field("json", description="`json`, one object a line, or `text` for people.")

    traces_endpoint: value_forms.WebAddress = Field(
        "",
        description="OTLP/HTTP address that spans are sent to, `http://collector:4318/v1/traces`. Empty: nothing is "
        "traced, and nothing of it is loaded.",
    )
    traces_sampled: float = Field(
        0.1, ge=0.0, le=1.0, description="Share of the traces that begin here, from 0 to 1; others are as they say."
    )

    @field_validator("kafka")
    @classmethod
    def _are_servers(cls, text: str) -> str:
        return check_servers(text)

    @field_validator("kafka_security_protocol", "kafka_sasl_mechanism", mode="before")
    @classmethod
    def _in_capitals(cls, text: Any) -> Any:
        return text.upper() if isinstance(text, str) else text

    @field_validator("kafka_sasl_password", "kafka_key_password")
    @classmethod
    def _without_line_break(cls, password: SecretStr) -> SecretStr:
        return SecretStr(password.get_secret_value().rstrip("\r\n"))  # which a mounted file ends in, and no password

    @field_validator("postgres", "postgres_direct")
    @classmethod
    def _is_url(cls, url: SecretStr, info: ValidationInfo) -> SecretStr:
        text = url.get_secret_value()
        if (text or info.field_name == "postgres") and (problems := postgres_url.problems(text)):
            raise ValueError("; ".join(problems))
        return url

    def contradictions(self) -> Iterable[str]:
        """Return what does not fit together about Kafka, and what is wrong with the files for TLS."""
        return [*self._access.problems()] or self._tls[1]

    @cached_property
    def brokers(self) -> Brokers:
        """Return how Kafka is reached."""
        return Brokers(
            servers=self.kafka,
            protocol=self.kafka_security_protocol,
            mechanism=self.kafka_sasl_mechanism,
            username=self.kafka_sasl_username,
            password=self.kafka_sasl_password.get_secret_value(),
            tls=self._tls[0],
        )

    @property
    def _access(self) -> BrokerAccess:
        return BrokerAccess(
            protocol=self.kafka_security_protocol,
            mechanism=self.kafka_sasl_mechanism,
            username=self.kafka_sasl_username,
            password=self.kafka_sasl_password.get_secret_value(),
            ca_file=self.kafka_ca_file,
            cert_file=self.kafka_cert_file,
            key_file=self.kafka_key_file,
            key_password=self.kafka_key_password.get_secret_value(),
        )

    @cached_property
    def _tls(self) -> tuple[ssl.SSLContext | None, list[str]]:
        return self._access.tls()


Own = TypeVar("Own", bound=Settings)


def load_with_common(environ: Mapping[str, str], own: type[Own]) -> tuple[CommonSettings, Own]:
    """Read what every process reads and a service's `own` settings.

    Raises:
        SettingsError: with the problems of both.
    """
    problems: list[str] = []
    loaded: list[Settings] = []
    for part in (CommonSettings, own):
        try:
            loaded.append(part.load(environ))
        except SettingsError as error:
            problems += error.problems
    if problems:
        raise SettingsError(problems)
    common, service = loaded
    return cast(CommonSettings, common), cast(Own, service)


def misspelt(environ: Mapping[str, str], known: Iterable[str]) -> list[str]:
    """Return a line for each variable with our prefix that is not among the `known`, with the nearest known name."""
    names = set(known)
    lines = []
    for name in sorted(environ):
        if name.startswith(SHARED_PREFIX) and name not in names:
            close = get_close_matches(name, names, n=1, cutoff=0.8)
            lines.append(f"{name}: no such setting" + (f"; did you mean {close[0]}?" if close else ""))
    return lines


def _too_large(field: FieldInfo, text: str) -> str | None:
    """Return what is wrong with a number that states no upper bound of its own and is absurdly large."""
    if field.annotation not in {int, float} or any(isinstance(rule, Le | Lt) for rule in field.metadata):
        return None
    most = MOST_INTEGER if field.annotation is int else MOST_NUMBER
    try:
        return None if float(text) <= most else _expected(field)
    except (ValueError, OverflowError):
        return None  # no number at all, which pydantic says


def _expected(field: FieldInfo) -> str:
    """Return what a field takes, where its type says all there is to say; else nothing."""
    if get_origin(field.annotation) is Literal:
        return "is none of " + ", ".join(str(choice) for choice in get_args(field.annotation) if choice)
    if field.annotation is bool:
        return "is neither true nor false; give one of them"
    if field.annotation is int:
        return f"is no whole number{_range(field, MOST_INTEGER)}"
    if field.annotation is float:
        return f"is no number{_range(field, MOST_NUMBER)}"
    return ""


def _range(field: FieldInfo, most: float) -> str:
    low = next((f"from {rule.ge}" for rule in field.metadata if isinstance(rule, Ge)), "")
    low = low or next((f"above {rule.gt}" for rule in field.metadata if isinstance(rule, Gt)), "")
    high = next((rule.le for rule in field.metadata if isinstance(rule, Le)), most)
    bound = f"{high:_}".replace("_", ",") if isinstance(high, int) and high > 99_999 else f"{high:g}"
    bound = f"{high:,.0f}" if isinstance(high, float) and high >= 1e6 else bound
    default = field.default
    return f" {low} to {bound}; the default is {default}" if low else f" up to {bound}; the default is {default}"


def _reason(item: Any) -> str:
    if item["type"] == "string_pattern_mismatch":
        return "does not have the expected form"
    if item["type"] == "string_too_short":
        return "is empty"
    return str(item["msg"]).removeprefix("Value error, ")
