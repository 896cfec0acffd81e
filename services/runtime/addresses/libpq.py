"""Every parameter that a PostgreSQL URL may have: its values, and who follows it.

Migrations speak through libpq, the services and all other commands through asyncpg, which follows fewer of its
parameters and takes any other for a setting of the server. This is the one place that says which is which.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final


class ParameterForm(Enum):
    """What a value must look like."""

    TEXT = auto()
    NUMBER = auto()
    PORTS = auto()
    FILE = auto()


class ParameterReach(Enum):
    """Who follows a parameter: the services' driver, the server, or only the commands."""

    DRIVER = auto()
    """Their driver follows it, or hands it to the server, which does."""

    OURS = auto()
    """Their driver does not know it; what it asks for is done, or is the case, all the same."""

    COMMANDS = auto()
    """Commands follow it, by a connection of libpq's; services do not, and say so when they start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LibpqParameter:
    """One parameter of libpq. `choices`, where given, are all the values that it takes.

    `refused` says for a value that no process can follow (`*`: for any other) what to give in its place.
    """

    reach: ParameterReach = ParameterReach.DRIVER
    form: ParameterForm = ParameterForm.TEXT
    choices: tuple[str, ...] = ()
    refused: Mapping[str, str] | None = None

    def refusal(self, value: str) -> str | None:
        """Return what to do instead of giving this value, None where it can be followed."""
        refused = self.refused or {}
        return refused.get(value, refused.get("*"))


def _choice(
    *choices: str, reach: ParameterReach = ParameterReach.DRIVER, refused: Mapping[str, str] | None = None
) -> LibpqParameter:
    return LibpqParameter(reach=reach, choices=choices, refused=refused)


def _refused(instead: str) -> LibpqParameter:
    return LibpqParameter(refused={"*": instead})


_TLS_VERSIONS: Final = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_OTHER_PROOF: Final = "services log in by password or certificate; give one of these"

PARAMETERS: Final[Mapping[str, LibpqParameter]] = {
    # Where, and as whom.
    "host": LibpqParameter(),
    "hostaddr": _refused("services would look the host's name up; give the address as the host"),
    "port": LibpqParameter(form=ParameterForm.PORTS),
    "dbname": LibpqParameter(),
    "user": LibpqParameter(),
    "password": LibpqParameter(),
    "passfile": LibpqParameter(form=ParameterForm.FILE),
    "service": LibpqParameter(),
    "target_session_attrs": _choice("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
    "load_balance_hosts": _choice("disable", "random", reach=ParameterReach.OURS),
    # How a session begins.
    "application_name": LibpqParameter(),
    "fallback_application_name": LibpqParameter(reach=ParameterReach.OURS),
    "client_encoding": LibpqParameter(reach=ParameterReach.OURS),
    "options": LibpqParameter(),
    "replication": _refused("a session for replication runs no queries; take it out"),
    "min_protocol_version": LibpqParameter(reach=ParameterReach.COMMANDS),
    "max_protocol_version": LibpqParameter(reach=ParameterReach.OURS),
    # How long silence is borne.
    "connect_timeout": LibpqParameter(form=ParameterForm.NUMBER, reach=ParameterReach.OURS),
    "keepalives": LibpqParameter(form=ParameterForm.NUMBER, reach=ParameterReach.OURS),
    "keepalives_idle": LibpqParameter(form=ParameterForm.NUMBER, reach=ParameterReach.OURS),
    "keepalives_interval": LibpqParameter(form=ParameterForm.NUMBER, reach=ParameterReach.OURS),
    "keepalives_count": LibpqParameter(form=ParameterForm.NUMBER, reach=ParameterReach.OURS),
    "tcp_user_timeout": LibpqParameter(form=ParameterForm.NUMBER, reach=ParameterReach.OURS),
    # TLS.
    "sslmode": _choice("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "sslnegotiation": _choice("postgres", "direct"),
    "sslcert": LibpqParameter(form=ParameterForm.FILE),
    "sslkey": LibpqParameter(form=ParameterForm.FILE),
    "sslpassword": LibpqParameter(),
    "sslrootcert": LibpqParameter(form=ParameterForm.FILE),
    "sslcrl": LibpqParameter(form=ParameterForm.FILE),
    "sslcrldir": _refused("services read one file of revoked certificates; give it as sslcrl"),
    "ssl_min_protocol_version": _choice(*_TLS_VERSIONS),
    "ssl_max_protocol_version": _choice(*_TLS_VERSIONS),
    "sslcertmode": _choice("disable", "allow", "require", reach=ParameterReach.COMMANDS),
    "sslcompression": _choice("0", "1", reach=ParameterReach.OURS),
    "sslsni": _choice("0", "1", reach=ParameterReach.OURS),
    "sslkeylogfile": _refused("it would write the keys of the encryption into a file; take it out"),
    # How each side proves itself.
    "channel_binding": _choice("disable", "prefer", "require", reach=ParameterReach.COMMANDS),
    "require_auth": LibpqParameter(reach=ParameterReach.COMMANDS),
    "requirepeer": LibpqParameter(reach=ParameterReach.COMMANDS),
    "gssencmode": _choice(
        *("disable", "prefer", "require"),
        reach=ParameterReach.OURS,
        refused={"require": "services encrypt by TLS alone; give sslmode=verify-full in its place"},
    ),
    "krbsrvname": LibpqParameter(),
    "gsslib": LibpqParameter(),
    "gssdelegation": _choice("0", "1", reach=ParameterReach.OURS),
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
    """Return whether the services' driver, or the server, acts on the parameter."""
    return name in PARAMETERS and PARAMETERS[name].reach is ParameterReach.DRIVER


def is_for_commands(name: str, value: str) -> bool:
    """Return whether the parameter demands something that only the commands do."""
    parameter = PARAMETERS.get(name)
    return (
        parameter is not None
        and parameter.reach is ParameterReach.COMMANDS
        and value not in {"disable", "allow", "prefer"}
    )
