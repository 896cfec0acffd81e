"""How far the worker has come, as the read API tells it from a real database."""

from datetime import datetime

import httpx2
import pytest

from tests.fixtures.journey_rows import Rows, at

pytestmark = pytest.mark.local


async def test_the_pipeline_says_until_when_everything_is_applied(
    reader: httpx2.AsyncClient, journey_rows: Rows
) -> None:
    nobody = (await reader.get("/v1/pipeline")).json()
    await journey_rows.progress(0, at(50), None, line="an older log")
    await journey_rows.progress(0, at(60), at(90))
    await journey_rows.progress(1, at(70), None)
    found = (await reader.get("/v1/pipeline")).json()

    assert nobody["partitions"] == 0
    assert "complete_until" not in nobody
    assert found["partitions"] == 2
    assert datetime.fromisoformat(found["complete_until"]) == at(70), "the one that is furthest behind"
    assert datetime.fromisoformat(found["applied_at"]) == at(70)
    assert found["waiting"] == 0
