"""Waymark's processes as they are deployed, on the ground of a benchmark: started, ready, and stopped in order."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import ground, racing
from benchmarks.ground import Ground
from waymark.launchers.child_process import await_ready, free_port
from waymark.local.credentials import demo_keys
from waymark.local.service_processes import ServiceProcess, make_service
from waymark.topics.declared_topics import make_topics

READY_S = 60.0
UNLIMITED = "1000000000"
"""Limits of rate are compared with, and never met: one source sends what many would."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What processes of Waymark are given on this ground."""

    ground: Ground
    url: str
    folder: Path
    keys: Mapping[str, str]
    environment: Mapping[str, str]

    def service(self, name: str, label: str = "") -> ServiceProcess:
        """Return one process, not started; `label` tells several of one kind apart."""
        whole = racing.surroundings(self.environment)
        return make_service(name, ports={name: free_port()}, environment=whole, logs=self.folder / (label or name))


def surroundings(here: Ground, name: str) -> Surroundings:
    """Make a database with keys, and the topics where they are missing."""
    make_topics(here.bootstrap, replication=1)
    url = ground.database(here, name)
    folder = here.folder / name
    folder.mkdir()
    environment = {
        "WAYMARK_KAFKA": here.bootstrap,
        "WAYMARK_POSTGRES": url,
        "WAYMARK_LOG_LEVEL": "warning",
        "WAYMARK_INGEST_KEY_SECRET": "benchmark",
        "WAYMARK_INGEST_REQUESTS_PER_S": UNLIMITED,
        "WAYMARK_INGEST_TOUCHPOINTS_PER_S": UNLIMITED,
        "WAYMARK_ALERTS_SECRET_KEYS": os.urandom(32).hex(),
        "WAYMARK_ALERTS_ALLOW_PRIVATE_TARGETS": "true",
    }
    keys = demo_keys(folder, url)
    return Surroundings(ground=here, url=url, folder=folder, keys=keys, environment=environment)


@contextmanager
def running(services: Sequence[ServiceProcess]) -> Iterator[None]:
    """Run processes for the length of the block, ready when it begins."""
    with racing.running(*(service.child for service in services)):
        for service in services:
            await_ready(service.child, service.ready, within_s=READY_S)
        yield
