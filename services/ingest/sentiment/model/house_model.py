"""What a model of the house is: texts in, a sentiment for each out; and why it may have said nothing."""

from collections.abc import Sequence
from enum import StrEnum
from math import isfinite
from typing import Protocol


class ModelFault(StrEnum):
    """Why the word lists stand in for the model."""

    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    STATUS = "status"
    UNREADABLE = "unreadable"
    RAISED = "raised"
    BUSY = "busy"
    RESTING = "resting"


class ModelFailedError(Exception):
    """The model did not say what it should; `detail` never holds a text."""

    def __init__(self, fault: ModelFault, detail: str = "") -> None:
        super().__init__(fault)
        self.fault = fault
        self.detail = detail


class HouseModel(Protocol):
    """Reads texts in batches."""

    async def read(self, texts: Sequence[str]) -> Sequence[float | None]:
        """Return a sentiment for each text, -1 to 1, None where it cannot tell; raises `ModelFailedError`."""

    async def aclose(self) -> None:
        """Let go of what the model holds."""


def checked(told: object, number: int) -> list[float | None]:
    """Return what a model said about so many texts; raises `ModelFailedError` unless it is a sentiment for each."""
    if not isinstance(told, Sequence) or isinstance(told, str | bytes):
        raise ModelFailedError(ModelFault.UNREADABLE, "no list")
    if len(told) != number:
        raise ModelFailedError(ModelFault.UNREADABLE, "a list of another length")
    return [None if one is None else _sentiment(one) for one in told]


def _sentiment(one: object) -> float:
    if isinstance(one, bool) or not isinstance(one, int | float) or not isfinite(one) or not -1 <= one <= 1:
        raise ModelFailedError(ModelFault.UNREADABLE, "no number from -1 to 1")
    return float(one)
