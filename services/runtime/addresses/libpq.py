"""Every parameter that a URL of PostgreSQL may have: what it may say, and who follows it.

The commands speak through libpq, the services through asyncpg, which follows fewer of its parameters and takes any
other for a setting of the server. This is the one place that says which is which.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final


class Form(Enum):
    """What a value looks like."""

    TEXT = auto()
    NUMBER = auto()
    PORTS = auto()
    FILE = auto()


class Reach(Enum):
    """How far a parameter reaches into the services."""

    DRIVER = auto()
    """Their driver follows it, or hands it to the server, which does."""

    OURS = auto()
    """Their driver does not know it; what it asks for is done, or is the case, all the same."""

    COMMANDS = auto()
    """Commands follow it, services do not, and say so when they start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of libpq. `choices`, where there are any, are all that it takes.

    `refused` says of each value (`*`: of any other) that no process can follow what to give in its place.
    """

    reach: Reach = Reach.DRIVER
    form: Form = Form.TEXT
    choices: tuple[str, ...] = ()
    refused: Mapping[str, str] | None = None

    def refusal(self, value: str) -> str | None:
        """Return what to do instead of giving this value, None where it can be followed."""
        refused = self.refused or {}
        return refused.get(value, refused.get("*"))


def _choice(*choices: str, reach: Reach = Reach.DRIVER, refused: Mapping[str, str] | None = None) -> Parameter:
    return Parameter(reach=reach, choices=choices, refused=refused)


def _refused(instead: str) -> Parameter:
    return Parameter(refused={"*": instead})


_TLS_VERSIONS: Final = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_OTHER_PROOF: Final = "services log in by password or certificate; give one of these"

PARAMETERS: Final[Mapping[str, Parameter]] = {
    # Where, and as whom.
    "host": Parameter(),
    "hostaddr": _refused("services would look the host's name up; give the address as the host"),
    "port": Parameter(form=Form.PORTS),
    "dbname": Parameter(),
    "user": Parameter(),
    "password": Parameter(),
    "passfile": Parameter(form=Form.FILE),
    "service": Parameter(),
    "target_session_attrs": _choice("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
    "load_balance_hosts": _choice("disable", "random", reach=Reach.OURS),
    # How a session begins.
    "application_name": Parameter(),
    "fallback_application_name": Parameter(reach=Reach.OURS),
    "client_encoding": Parameter(reach=Reach.OURS),
    "options": Parameter(),
    "replication": _refused("a session for replication runs no queries; take it out"),
    "min_protocol_version": Parameter(reach=Reach.COMMANDS),
    "max_protocol_version": Parameter(reach=Reach.OURS),
    # How long silence is borne.
    "connect_timeout": Parameter(form=Form.NUMBER, reach=Reach.OURS),
    "keepalives": Parameter(form=Form.NUMBER, reach=Reach.OURS),
    "keepalives_idle": Parameter(form=Form.NUMBER, reach=Reach.OURS),
    "keepalives_interval": Parameter(form=Form.NUMBER, reach=Reach.OURS),
    "keepalives_count": Parameter(form=Form.NUMBER, reach=Reach.OURS),
    "tcp_user_timeout": Parameter(form=Form.NUMBER, reach=Reach.OURS),
    # TLS.
    "sslmode": _choice("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "sslnegotiation": _choice("postgres", "direct"),
    "sslcert": Parameter(form=Form.FILE),
    "sslkey": Parameter(form=Form.FILE),
    "sslpassword": Parameter(),
    "sslrootcert": Parameter(form=Form.FILE),
    "sslcrl": Parameter(form=Form.FILE),
    "sslcrldir": _refused("services read one file of revoked certificates; give it as sslcrl"),
    "ssl_min_protocol_version": _choice(*_TLS_VERSIONS),
    "ssl_max_protocol_version": _choice(*_TLS_VERSIONS),
    "sslcertmode": _choice("disable", "allow", "require", reach=Reach.COMMANDS),
    "sslcompression": _choice("0", "1", reach=Reach.OURS),
    "sslsni": _choice("0", "1", reach=Reach.OURS),
    "sslkeylogfile": _refused("it would write the keys of the encryption into a file; take it out"),
    # How each side proves itself.
    "channel_binding": _choice("disable", "prefer", "require", reach=Reach.COMMANDS),
    "require_auth": Parameter(reach=Reach.COMMANDS),
    "requirepeer": Parameter(reach=Reach.COMMANDS),
    "gssencmode": _choice(
        *("disable", "prefer", "require"),
        reach=Reach.OURS,
        refused={"require": "services encrypt by TLS alone; give sslmode=verify-full in its place"},
    ),
    "krbsrvname": Parameter(),
    "gsslib": Parameter(),
    "gssdelegation": _choice("0", "1", reach=Reach.OURS),
    "scram_client_key": _refused(_OTHER_PROOF),
    "scram_server_key": _refused(_OTHER_PROOF),
    "oauth_issuer": _refused(_OTHER_PROOF),
    "oauth_client_id": _refused(_OTHER_PROOF),
    "oauth_client_secret": _refused(_OTHER_PROOF),
    "oauth_scope": _refused(_OTHER_PROOF),
}
"""By name, as libpq spells it."""

OTHER_NAMES: Final[Mapping[str, str]] = {"database": "dbname", "ssl": "sslmode", "sslrootca": "sslrootcert"}
"""What other drivers call a parameter, and libpq's own name for it."""

SYSTEM: Final = "system"
"""In place of a file of `sslrootcert`: what the machine trusts."""


def is_followed_by_services(name: str) -> bool:
    """Whether the services' driver, or the server, knows what to do with it."""
    return name in PARAMETERS and PARAMETERS[name].reach is Reach.DRIVER


def is_for_commands(name: str, value: str) -> bool:
    """Whether it demands something that only commands see to."""
    parameter = PARAMETERS.get(name)
    return parameter is not None and parameter.reach is Reach.COMMANDS and value not in {"disable", "allow", "prefer"}
