"""Named places where a test may hurt a service: kill it, freeze it, or cut its connections. By default none.

A failpoint is an object handed to the composition root and never read from the environment, so production cannot reach
one. Each service declares its own places.
"""

from enum import StrEnum
from typing import Protocol, TypeVar

Point_contra = TypeVar("Point_contra", bound=StrEnum, contravariant=True)


class Failpoints(Protocol[Point_contra]):
    """Learns which named place the service has reached."""

    async def reached(self, point: Point_contra) -> None:
        """Return, and the service goes on; whatever else happens here is the test's."""


class NoFailpoints:
    """Does nothing at every place; what production uses."""

    async def reached(self, point: StrEnum) -> None:
        """Do nothing, and let the service go on."""


NO_FAILPOINTS = NoFailpoints()
