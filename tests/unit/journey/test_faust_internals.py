"""Faust's private parts that `transport` overrides or leans on, fingerprinted: a change there must be read by a person.

When this fails after an upgrade, read the new source, compare it with what `services/journey/consume/transport.py`
assumes, run the fault tests, and only then write the new fingerprint down.
"""

import ast
import hashlib
import inspect
import textwrap
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import pytest
from faust.app.base import App
from faust.tables.recovery import Recovery
from faust.transport import consumer
from faust.transport.drivers import aiokafka as driver
from mode.threads import QueueServiceThread

from services.journey.consume.transport import ChunkConsumer, ChunkThread, ChunkTransport, JourneyApp

RELIED_ON: dict[str, tuple[Callable[..., Any], str]] = {
    "App._new_transport": (App._new_transport, "9682ba686d14"),
    "App._on_partitions_assigned": (App._on_partitions_assigned, "7b9b8ea3d77c"),
    "App._on_partitions_revoked": (App._on_partitions_revoked, "d3fb80659c05"),
    "App._stop_consumer": (App._stop_consumer, "7fdf6362880a"),
    "App.on_first_start": (App.on_first_start, "8e2be9c12e0f"),
    "Consumer._commit_offsets": (consumer.Consumer._commit_offsets, "cb67f4fcd801"),
    "Consumer._commit_tps": (consumer.Consumer._commit_tps, "ba1561ae64a9"),
    "Consumer._drain_messages": (consumer.Consumer._drain_messages, "581bcf225aeb"),
    "Consumer._filter_committable_offsets": (consumer.Consumer._filter_committable_offsets, "27125898e8e9"),
    "Consumer._filter_tps_with_pending_acks": (consumer.Consumer._filter_tps_with_pending_acks, "0ea2e0948e4a"),
    "Consumer._new_offset": (consumer.Consumer._new_offset, "b4dfedeb6b87"),
    "Consumer._should_commit": (consumer.Consumer._should_commit, "278cf9b00250"),
    "Consumer._wait_next_records": (consumer.Consumer._wait_next_records, "e2769d9d11d2"),
    "Consumer.on_partitions_assigned": (consumer.Consumer.on_partitions_assigned, "a69457055f5f"),
    "Consumer.on_partitions_revoked": (consumer.Consumer.on_partitions_revoked, "5b5710ff823f"),
    "Consumer.on_stop": (consumer.Consumer.on_stop, "dd06189ee756"),
    "Consumer.perform_seek": (consumer.Consumer.perform_seek, "e3f87e3d14e0"),
    "Consumer.resume_flow": (consumer.Consumer.resume_flow, "766f1bea0a8b"),
    "Consumer.stop_flow": (consumer.Consumer.stop_flow, "9237e1c82892"),
    "ConsumerThread.on_partitions_assigned": (consumer.ConsumerThread.on_partitions_assigned, "112e474806e0"),
    "Fetcher._fetcher": (consumer.Fetcher._fetcher, "c73c1e00aa43"),
    "Fetcher.on_stop": (consumer.Fetcher.on_stop, "9199708ed89f"),
    "Recovery._resume_streams": (Recovery._resume_streams, "1236fd6ca330"),
    "ThreadDelegateConsumer._getmany": (consumer.ThreadDelegateConsumer._getmany, "2b5661ae1cb3"),
    "ThreadDelegateConsumer.seek_wait": (consumer.ThreadDelegateConsumer.seek_wait, "864f0352f79e"),
    "driver.AIOKafkaConsumerThread._create_worker_consumer": (
        driver.AIOKafkaConsumerThread._create_worker_consumer,
        "775505f72b40",
    ),
    "driver.AIOKafkaConsumerThread._fetch_records": (driver.AIOKafkaConsumerThread._fetch_records, "bb0c8feb363e"),
    "driver.AIOKafkaConsumerThread._seek_wait": (driver.AIOKafkaConsumerThread._seek_wait, "e416dad24958"),
    "driver.AIOKafkaConsumerThread.topic_partitions": (driver.AIOKafkaConsumerThread.topic_partitions, "e93fbc1a8bfd"),
    "driver.Consumer._new_consumer_thread": (driver.Consumer._new_consumer_thread, "a895d8136546"),
    "driver.ConsumerRebalanceListener.on_partitions_assigned": (
        driver.ConsumerRebalanceListener.on_partitions_assigned,
        "5f1668aec3b6",
    ),
    "mode.QueueServiceThread.call_thread": (QueueServiceThread.call_thread, "e76667f6b6cb"),
}


def fingerprint(function: Callable[..., Any]) -> str:
    """Of the syntax tree without docstrings: comments and layout may change."""
    function = getattr(function, "fun", function)  # a mode ServiceTask wraps its function
    tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function))))
    for node in ast.walk(tree):
        if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node):
            node.body = node.body[1:]
    return hashlib.blake2b(ast.dump(tree).encode(), digest_size=6).hexdigest()


@pytest.mark.parametrize("name", RELIED_ON)
def test_what_is_overridden_or_leant_on_is_as_it_was_read(name: str) -> None:
    function, expected = RELIED_ON[name]
    assert fingerprint(function) == expected


def test_the_versions_are_the_ones_that_were_read() -> None:
    assert (version("faust-streaming"), version("mode-streaming"), version("aiokafka")) == ("0.15.3", "0.7.1", "0.14.0")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(ChunkConsumer, driver.Consumer), (ChunkThread, driver.AIOKafkaConsumerThread), (JourneyApp, App)],
)
def test_every_override_overrides_something(ours: type, theirs: type) -> None:
    own = {"wiring", "fetch_on", "_agree", "partitions", "assigned"}
    private_helpers = {
        "_assigned", "_claim", "_deliver",
        "_feed", "_fetch_chunks", "_first_records", "_forget_claims", "_generation",
        "_hold_claims", "_read_at", "_rewind", "_same_logs", "_tp",
    }  # fmt: skip
    names = {name for name in vars(ours) if not name.startswith("__") and name != "_abc_impl"}
    assert {name for name in names - own - private_helpers if not hasattr(theirs, name)} == set()
    assert {name for name in private_helpers if hasattr(theirs, name)} == set(), "a helper hides something of Faust's"


def test_the_transport_makes_our_consumer() -> None:
    assert ChunkTransport.Consumer is ChunkConsumer
