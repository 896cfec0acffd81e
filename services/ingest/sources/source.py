"""A source: a producer system, the channels and members it may send, and how fast. Pure.

Its keys are the business of `services.ingest.sources.source_keys`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from schemas.vocabulary import Channel
from services.ingest.timing.touchpoint_time import ClockMode


class SourceScope(StrEnum):
    """What a source may do: send touchpoints, replay old ones, and inspect what it sent."""

    WRITE = "write"
    REPLAY = "replay"
    INSPECT = "inspect"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePace:
    """The requests and touchpoints per second of a source; None means the default of the settings."""

    requests: float | None = None
    touchpoints: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A producer system. `channels` None means all; `defaults` are members for touchpoints that lack them.

    A source that may use one channel only has it as the default, unless another one is set.

    `origins` are those of web pages that may send (`*`: every one). `dialects` says by wire form how what the source
    sends becomes touchpoints; each form checks its own.
    `scopes`, `key_id` and `key_pace` are those of the key that was presented, where one was.
    """

    name: str
    channels: frozenset[Channel] | None = None
    scopes: frozenset[SourceScope] = frozenset({SourceScope.WRITE, SourceScope.INSPECT})
    defaults: Mapping[str, Any] = field(default_factory=dict)
    dialects: Mapping[str, Any] = field(default_factory=dict)
    origins: frozenset[str] = frozenset()
    clock: ClockMode = ClockMode.ESTIMATE
    disabled: bool = False
    pace: SourcePace = SourcePace()
    key_id: str = ""
    key_pace: SourcePace = SourcePace()

    def __post_init__(self) -> None:
        if self.channels is not None and len(self.channels) == 1 and "channel" not in self.defaults:
            object.__setattr__(self, "defaults", {"channel": str(*self.channels), **self.defaults})

    def allows(self, channel: Channel) -> bool:
        """Return whether the source may send `channel`."""
        return self.channels is None or channel in self.channels
