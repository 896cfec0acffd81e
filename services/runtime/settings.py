"""How a process reads its settings: once, from a mapping, with every problem reported together.

Each service declares its own fields beside the code that reads them, as a subclass of `Settings` with a prefix of its
own; what all processes share stands in `CommonSettings`. Names that carry a service's prefix but belong to no field are
refused: a misspelt variable must not silently leave a default in force.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import ClassVar, Literal, Self, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

SHARED_PREFIX = "WAYMARK_"


class SettingsError(Exception):
    """The environment does not make a valid configuration; `problems` lists all that is wrong, one line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Settings(BaseModel):
    """Base of all settings: frozen, read from the mapping that `load` is given and from nowhere else."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    env_prefix: ClassVar[str]
    """What the names of this service's variables start with, `WAYMARK_INGEST_` for example."""

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
        given = {field: environ[name] for name, field in known.items() if environ.get(name, "") != ""}
        problems = cls._unknown(environ, known)
        try:
            settings = cls.model_validate(given)
        except ValidationError as error:
            problems += [f"{cls._named(item['loc'])}: {item['msg']}" for item in error.errors()]
            raise SettingsError(problems) from None
        if problems:
            raise SettingsError(problems)
        return settings

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

    kafka: str = Field("127.0.0.1:9092", description="Bootstrap servers of Kafka, `host:port`, comma separated.")
    postgres: SecretStr = Field(
        SecretStr("postgresql://waymark@127.0.0.1:5432/waymark"), description="URL of the PostgreSQL database."
    )
    kafka_idempotence: bool = Field(
        True, description="Use the idempotent producer. Only the embedded broker, which has none, needs `false`."
    )
    kafka_line: str = Field(
        "",
        description="Name of the life of the log that offsets belong to; empty means the cluster's id. "
        "The embedded broker, which forgets everything at a restart, gets a fresh one at each start.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")
    log_format: Literal["json", "text"] = Field("json", description="`json`, one object a line, or `text` for people.")


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
