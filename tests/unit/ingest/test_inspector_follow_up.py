"""What the inspector says of touchpoints after they were written: what the journey service says, and nothing else."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from services.ingest.inspector.follow_up import JourneyUnreachableError, LaterOutcome, ReportedOutcome
from services.ingest.sources.source import Source
from services.runtime.credentials.api_keys import KeyKind
from tests.fixtures.ingest_bench import IngestBench, a_touchpoint
from tests.unit.ingest.test_inspector_stream import Watching
from tests.waiting import until


class Journey:
    """A journey service that knows what became of touchpoints by their ids. Satisfies `consequence.Ask`."""

    def __init__(self, **fates: tuple[LaterOutcome, str | None]) -> None:
        self.fates = fates
        self.away = False
        self.asked: list[list[str]] = []

    async def __call__(self, touchpoints: Sequence[bytes]) -> Sequence[ReportedOutcome]:
        """Answer, or be away."""
        documents = [msgspec.json.decode(each) for each in touchpoints]
        self.asked.append([f"{each['source']}/{each['id']}" for each in documents])
        if self.away:
            raise JourneyUnreachableError
        told = [self.fates.get(each["id"], (LaterOutcome.WAITING, None)) for each in documents]
        return [ReportedOutcome(outcome=fate, code=code) for fate, code in told]


async def listing(bench: IngestBench, **headers: str) -> Any:
    return (await bench.inspect("", **headers)).json


async def test_what_became_of_each_accepted_touchpoint_is_shown(bench: IngestBench) -> None:
    bench.service.inspector.follow_up.ask_from(
        journey := Journey(
            a=(LaterOutcome.APPLIED, None),
            b=(LaterOutcome.CONFLICT, "id_conflict"),
            c=(LaterOutcome.DEAD_LETTER, "nul"),
        )
    )
    await bench.post([a_touchpoint(id=id_) for id_ in "abcd"] + [a_touchpoint(id="e", channel="fax")])
    await bench.post(a_touchpoint(id="a"))

    found = await listing(bench)

    later = {seen["id"]: seen["later"] for seen in found["entries"] if "later" in seen}
    assert {id_: (one["outcome"], one.get("code")) for id_, one in later.items()} == {
        "a": ("applied", None),
        "b": ("conflict", "id_conflict"),
        "c": ("dead_letter", "nul"),
        "d": ("waiting", None),
    }
    assert later["b"]["message"] == "Not stored: this id was used before with other content. Send it with a new id."
    assert found["later_from"] == "journey service"
    assert sum("later" in seen for seen in found["entries"]) == 4  # neither the rejected one nor the repeat

    await listing(bench)
    assert journey.asked[-1] == ["ivr/d"]  # the others are settled


async def test_it_is_said_in_korean_to_who_prefers_it(bench: IngestBench) -> None:
    bench.service.inspector.follow_up.ask_from(Journey(a=(LaterOutcome.LATE, None)))
    await bench.post(a_touchpoint(id="a"))

    (seen,) = (await listing(bench, accept_language="ko"))["entries"]

    assert seen["later"]["message"].startswith("이력으로만 저장했습니다")


async def test_a_journey_service_that_is_away_is_said_and_nothing_is_made_up(bench: IngestBench) -> None:
    bench.service.inspector.follow_up.ask_from(journey := Journey(a=(LaterOutcome.APPLIED, None)))
    journey.away = True
    await bench.post(a_touchpoint(id="a"))

    found = await listing(bench)
    again = await listing(bench)

    assert found["later_from"] == "unreachable"
    assert found["entries"][0]["later"]["outcome"] == "unknown"
    assert found["entries"][0]["later"]["code"] == "journey_unreachable"
    assert again["entries"][0]["later"] == found["entries"][0]["later"]
    assert len(journey.asked) == 1  # looking again does not wait for it again


async def test_where_nobody_can_be_asked_nothing_is_said(bench: IngestBench) -> None:
    await bench.post(a_touchpoint(id="a"))

    found = await listing(bench)

    assert found["later_from"] == "not set up"
    assert "later" not in found["entries"][0]


async def test_a_source_asks_about_its_own_touchpoints_alone(bench: IngestBench) -> None:
    bench.service.inspector.follow_up.ask_from(journey := Journey())
    other = bench.keys.add(Source(name="crm"))
    await bench.service.sources.refresh()
    await bench.post(a_touchpoint(id="a"))
    await bench.post(a_touchpoint(id="a"), authorization=f"Bearer {other.text}")

    await listing(bench)
    assert journey.asked == [["ivr/a"]]

    operator = bench.keys.add_operator(KeyKind.READER)
    await listing(bench, authorization=f"Bearer {operator.text}")
    assert sorted(journey.asked[-1]) == ["crm/a", "ivr/a"]


async def test_nobody_is_asked_before_somebody_looks(bench: IngestBench) -> None:
    bench.service.inspector.follow_up.ask_from(journey := Journey())
    await bench.post([a_touchpoint(id=id_) for id_ in "abc"])

    assert journey.asked == []


async def test_a_watcher_is_told_what_becomes_of_what_was_shown(bench: IngestBench) -> None:
    bench.service.inspector.follow_up.ask_from(journey := Journey())
    await bench.post(a_touchpoint(id="before"))
    async with Watching(bench) as watching:
        await bench.post(a_touchpoint(id="after"))
        await until(lambda: sum(name == "later" for name, _ in watching.events) >= 2, within=10)
        journey.fates = {"before": (LaterOutcome.APPLIED, None), "after": (LaterOutcome.CONFLICT, "id_conflict")}
        await until(lambda: sum(name == "later" for name, _ in watching.events) >= 4, within=15)

    later = [(found["id"], found["later"]["outcome"]) for name, found in watching.events if name == "later"]
    assert sorted(later) == [
        ("after", "conflict"), ("after", "waiting"), ("before", "applied"), ("before", "waiting"),
    ]  # fmt: skip


@pytest.mark.parametrize("fate", list(LaterOutcome))
async def test_every_outcome_has_its_words_in_both_languages(bench: IngestBench, fate: LaterOutcome) -> None:
    bench.service.inspector.follow_up.ask_from(Journey(a=(fate, None)))
    await bench.post(a_touchpoint(id="a"))

    english = (await listing(bench))["entries"][0]["later"]["message"]
    korean = (await listing(bench, accept_language="ko"))["entries"][0]["later"]["message"]

    assert english != korean
    assert english.isascii()
