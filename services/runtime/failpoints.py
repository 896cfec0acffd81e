"""Named places where a test may hurt a service: kill it, freeze it, cut its connections. By default: nowhere.

A failpoint is an object handed to the composition root, never read from the environment, so production cannot reach it.
Which places there are, each service says itself.
"""

from enum import StrEnum
from typing import Protocol, TypeVar

Point_contra = TypeVar("Point_contra", bound=StrEnum, contravariant=True)


class Failpoints(Protocol[Point_contra]):
    """What is told where the service is."""

    async def reached(self, point: Point_contra) -> None:
        """Return, and the service goes on; whatever else happens here is the test's."""


class NoFailpoints:
    """Goes on, always, whosever places they are."""

    async def reached(self, point: StrEnum) -> None:
        """Do nothing."""


NO_FAILPOINTS = NoFailpoints()
