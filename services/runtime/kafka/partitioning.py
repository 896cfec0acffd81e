"""Computes which partition a key belongs to, with the hash that every Kafka client uses.

aiokafka's own is murmur2 byte by byte in Python, which costs more than everything else that is done to send a record
(15 µs for a key of 32 bytes). This one takes whole words, and remembers recent keys.
"""

import struct
from functools import lru_cache

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF
_REMEMBERED_KEYS = 8192


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of `key` among `partitions`, as Kafka's default partitioner does."""
    return (_murmur2(key) & 0x7FFFFFFF) % partitions


@lru_cache(maxsize=_REMEMBERED_KEYS)
def _murmur2(data: bytes) -> int:
    """MurmurHash2, 32 bits, with Kafka's seed."""
    words, tail = divmod(len(data), 4)
    digest = _SEED ^ len(data)
    for word in struct.unpack_from(f"<{words}I", data):
        mixed = word * _M & _MASK
        mixed = (mixed ^ mixed >> 24) * _M & _MASK
        digest = digest * _M & _MASK ^ mixed
    if tail:
        digest = (digest ^ int.from_bytes(data[-tail:], "little")) * _M & _MASK
    digest = (digest ^ digest >> 13) * _M & _MASK
    return digest ^ digest >> 15
