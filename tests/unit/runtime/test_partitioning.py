"""A key stands where every other Kafka client would look for it."""

from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from services.runtime.kafka.partitioning import partition_of


@given(st.binary(max_size=70), st.integers(1, 200))
def test_keys_go_where_the_default_partitioner_puts_them(key: bytes, partitions: int) -> None:
    expected = DefaultPartitioner()(key, list(range(partitions)), [])
    assert partition_of(key, partitions) == expected


def test_published_examples_of_the_hash() -> None:
    """From the tests of Kafka's own clients: `Utils.murmur2` of these texts."""
    assert [partition_of(text.encode(), 0x80000000) for text in ("21", "foobar", "a-little-bit-long-string")] == [
        -973932308 & 0x7FFFFFFF,
        -790332482 & 0x7FFFFFFF,
        -985981536 & 0x7FFFFFFF,
    ]
