#!/usr/bin/env python3
"""A till that works without a network: what happens is written to a file at once, and sent whenever ingest answers.

    python examples/producers/offline_pos.py record --store S-12 --loyalty L-778 --kind store_visited
    WAYMARK_SOURCE_KEY=wm_src_… python examples/producers/offline_pos.py send [--url http://127.0.0.1:8080]

A sale keeps the id and the time it got at the till, however late it is sent, and is deleted from the file only when its
result is final. So a power cut loses nothing and sends nothing twice. Tills have poor clocks: `sent_at`, which the
producer stamps, lets ingest put the times right (docs/ingest.md).
"""

import argparse
import json
import os
import sqlite3
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from waymark.producer import Producer, RequestRefused, TouchpointResult, TouchpointStatus

FILE = Path(os.environ.get("POS_FILE", "pos-outbox.sqlite"))


def outbox() -> sqlite3.Connection:
    connection = sqlite3.connect(FILE)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE IF NOT EXISTS outbox (id TEXT PRIMARY KEY, touchpoint TEXT NOT NULL)")
    return connection


def record(store: str, loyalty: str, kind: str) -> int:
    touchpoint = {
        "id": f"pos-{uuid4()}",
        "occurred_at": datetime.now(UTC).isoformat(),
        "channel": "store",
        "kind": kind,
        "customer": {"loyalty_id": loyalty},
        "attributes": {"store": store},
    }
    with outbox() as connection:
        connection.execute("INSERT INTO outbox VALUES (?, ?)", (touchpoint["id"], json.dumps(touchpoint)))
    print(f"{touchpoint['id']}: kept")
    return 0


def send(url: str) -> int:
    connection = outbox()
    waiting = connection.execute("SELECT touchpoint FROM outbox ORDER BY rowid").fetchall()
    final: list[TouchpointResult] = []
    refused: RequestRefused | None = None
    try:
        with Producer(url, os.environ["WAYMARK_SOURCE_KEY"], on_result=final.append) as producer:
            for (text,) in waiting:
                producer.send(json.loads(text))
    except RequestRefused as error:
        refused = error
    done = [result for result in final if result.status is not TouchpointStatus.UNAVAILABLE]
    with connection:
        connection.executemany("DELETE FROM outbox WHERE id = ?", [(result.id,) for result in done])
    (left,) = connection.execute("SELECT count(*) FROM outbox").fetchone()
    for result in done:
        print(f"{result.id}: {result.status} {result.code} {result.message}".rstrip())
    if refused is not None:
        print(refused, file=sys.stderr)
    print(f"{left} still wait")
    return 1 if left else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    recording = commands.add_parser("record", help="note what happened at the till")
    recording.add_argument("--store", required=True)
    recording.add_argument("--loyalty", required=True)
    recording.add_argument("--kind", default="store_visited")
    sending = commands.add_parser("send", help="send what waits")
    sending.add_argument("--url", default="http://127.0.0.1:8080")
    said = parser.parse_args()
    return send(said.url) if said.command == "send" else record(said.store, said.loyalty, said.kind)


if __name__ == "__main__":
    sys.exit(main())
