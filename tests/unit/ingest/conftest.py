"""The bench that most tests of ingest stand at."""

import pytest

from tests.conftest import SteppingClock
from tests.unit.ingest.fakes import Bench


@pytest.fixture
async def bench(clock: SteppingClock) -> Bench:
    """Return the service over fakes, with the default settings and one key."""
    return await Bench(clock=clock).started()
