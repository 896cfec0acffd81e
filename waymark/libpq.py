"""Connections through libpq: what migrations run on, and what keeps those demands of a URL that only libpq can keep.

All other work with the database goes through the services' own sessions (`waymark.database`).
"""

import psycopg
from psycopg import conninfo

from services.runtime.postgres.address import read

CONNECT_S = 5


def open_connection(url: str, name: str, *, writes: bool = True) -> psycopg.Connection:
    """Connect under `name`; with `writes` only to a server that takes them. What the URL itself says takes precedence.

    No statement is prepared: behind a pooler it would stay with a server that others get next.

    Raises:
        psycopg.OperationalError: no server of the URL answers and is good for it.
    """
    usual = {"connect_timeout": str(CONNECT_S), "target_session_attrs": "read-write" if writes else "any"}
    given = conninfo.conninfo_to_dict(url)
    settings = {name: value for name, value in usual.items() if name not in given}
    return psycopg.connect(url, application_name=name, prepare_threshold=None, **settings)  # type: ignore[arg-type]  # strings for libpq


def find_unmet_demand(url: str) -> str | None:
    """Connect once if the URL demands what only libpq sees to, and return libpq's words if a server does not meet it.

    Such demands are `channel_binding=require`, `require_auth`, `requirepeer`: the services' driver knows none of them.
    """
    if not read(url).for_commands:
        return None
    try:
        open_connection(url, "waymark", writes=False).close()
    except psycopg.OperationalError as error:
        return str(error)
    return None
