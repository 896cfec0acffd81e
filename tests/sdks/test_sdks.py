"""A light part of the matrix for every run of the tests: the Python libraries, which need PyPI alone.

All libraries, all columns, on Apache Kafka: `python -m tests.sdks.matrix`.
"""

from collections.abc import AsyncIterator

import pytest

from tests.sdks import checks
from tests.sdks.ground import Ground
from tests.sdks.kit import LIBRARIES, Library

pytestmark = [pytest.mark.local, pytest.mark.timeout(300)]

PYTHON = [pytest.param(library, id=library.name) for library in LIBRARIES if not library.is_node]


@pytest.fixture(scope="module")
async def ground(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    """A whole stack with the embedded broker."""
    with Ground(tmp_path_factory.mktemp("sdks"), embedded=True) as opened:
        await opened.open()
        yield opened


@pytest.mark.parametrize("library", PYTHON)
async def test_what_a_library_sends_is_in_the_journey_as_one_customer(ground: Ground, library: Library) -> None:
    await checks.journey(ground, library)


@pytest.mark.parametrize("library", PYTHON)
async def test_a_library_does_not_insist_on_what_is_wrong(ground: Ground, library: Library) -> None:
    await checks.wrong_key(ground, library)
    await checks.malformed(ground, library)


async def test_a_library_comes_back_when_it_was_told_to_wait(ground: Ground) -> None:
    await checks.throttled(ground, LIBRARIES[0])
