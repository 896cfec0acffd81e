"""Runs every check, from what the others rest on upwards."""

import asyncio
from collections.abc import Iterator, Mapping

from services.runtime.clock import SystemClock
from waymark.doctor.finding import DoctorFinding
from waymark.doctor.kafka_checks import examine_kafka
from waymark.doctor.machine_checks import examine_machine
from waymark.doctor.postgres_checks import examine_postgres
from waymark.doctor.process_checks import examine_processes
from waymark.doctor.session_checks import examine_sessions
from waymark.target import data_dir, find_target


def examine(environ: Mapping[str, str]) -> Iterator[DoctorFinding]:
    """Return every finding, in the order of the report."""
    target = find_target(environ)
    yield from examine_machine(environ, data_dir(environ))
    kafka, line = asyncio.run(examine_kafka(target))
    yield from kafka
    yield from asyncio.run(examine_postgres(target.postgres, line, SystemClock().now))
    yield from asyncio.run(examine_sessions(environ))
    yield from examine_processes(target)
