"""The company that every story happens to."""

import pytest

from tests.stories.company import Company


@pytest.fixture
def company() -> Company:
    """Return a company that nobody has turned to yet."""
    return Company()
