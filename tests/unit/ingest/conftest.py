"""The bench that most tests of ingest stand at."""

import pytest

from tests.fixtures.clock import SteppingClock
from tests.fixtures.ingest_bench import IngestBench


@pytest.fixture
async def bench(clock: SteppingClock) -> IngestBench:
    """Return the service over fakes, with the default settings and one key."""
    return await IngestBench(clock=clock).started()
