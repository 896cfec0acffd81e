"""What the local stack keeps secret in its folder: demo keys, and the secret of ingest's Kafka keys. Mode 0600."""

import os
import secrets
from pathlib import Path

import orjson

from services.ingest.sources.source_administration import SourceSpec
from services.runtime.credentials.api_keys import KeyKind
from services.runtime.postgres.pools import Connection
from waymark.database import run_in_transaction
from waymark.keys.key_store import create_role_key, create_source_key, still_valid

DEMO_SOURCE = SourceSpec(name="demo", replay=True)
ROLES = (KeyKind.READER, KeyKind.AGENT, KeyKind.ADMIN)


def demo_keys(folder: Path, url: str) -> dict[str, str]:
    """One key of each kind (`source`, `reader`, `agent`, `admin`), the same at each start while they are valid."""
    path = folder / "keys.json"
    known: dict[str, str] = orjson.loads(path.read_bytes()) if path.exists() else {}

    async def complete(connection: Connection) -> dict[str, str]:
        keys = {name: text for name, text in known.items() if await still_valid(connection, text)}
        if "source" not in keys:
            keys["source"] = (await create_source_key(connection, DEMO_SOURCE, label="waymark up")).text
        for role in ROLES:
            if role.value not in keys:
                label = f"waymark up ({role.value})"
                keys[role.value] = (await create_role_key(connection, role, label=label)).text
        return keys

    keys = run_in_transaction(url, complete)
    write_private(path, orjson.dumps(keys, option=orjson.OPT_INDENT_2))
    return keys


def kept_secret(folder: Path, name: str) -> str:
    """A secret of this stack, 64 characters: made once, then the same for ever."""
    path = folder / name
    if not path.exists():
        write_private(path, secrets.token_hex(32).encode())
    return path.read_text()


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, complete or not at all."""
    fresh = path.with_name(path.name + ".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    fresh.replace(path)
