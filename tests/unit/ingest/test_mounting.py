"""Raw routes: which one a path finds, and what a handler and a wire form may count on."""

import json
from collections.abc import Mapping

import pytest

from services.ingest.intake import Request
from services.ingest.reasons import Outcome, Rejection
from services.ingest.sources import Source
from services.ingest.verdict import Verdict
from services.ingest.wire.mounting import RawRoute, RouteTable
from tests.unit.ingest.fakes import Bench, a_touchpoint


async def _nowhere(*_ignored: object) -> None:
    raise AssertionError("only looked up here")


TABLE = RouteTable(
    RawRoute(path, _nowhere)
    for path in ("/v1/batch", "/v1/sources/{source}/webhook", "/v1/sources/{source}/events/{event}", "/{any}/webhook")
)


@pytest.mark.parametrize(
    ("path", "found", "params"),
    [
        ("/v1/batch", "/v1/batch", {}),
        ("/v1/sources/crm/webhook", "/v1/sources/{source}/webhook", {"source": "crm"}),
        ("/v1/sources/crm/events/9", "/v1/sources/{source}/events/{event}", {"source": "crm", "event": "9"}),
        ("/x/webhook", "/{any}/webhook", {"any": "x"}),
    ],
)
def test_a_path_finds_its_route_and_parameters(path: str, found: str, params: Mapping[str, str]) -> None:
    route = TABLE.find(path)

    assert route is not None
    assert (route[0].path, route[1]) == (found, params)


@pytest.mark.parametrize("path", ["/v1/batch/", "/v1", "/v1/sources/crm", "/v1/sources/crm/webhook/x", "/v2/batch", ""])
def test_another_path_finds_none(path: str) -> None:
    assert TABLE.find(path) is None


async def test_a_wire_form_s_verdict_stands_and_its_dead_letter_has_the_bytes_as_sent(bench: Bench) -> None:
    refusal = Verdict(outcome=Outcome.REJECTED, id="m-1", reason=Rejection.NOT_AN_OBJECT)
    mapped: list[bytes | Verdict] = [
        refusal,
        json.dumps(a_touchpoint(id="m-2", channel="fax")).encode(),
        json.dumps(a_touchpoint()).encode(),
    ]

    verdicts = await bench.service.intake.take(
        Request(items=mapped, originals=[b"first as sent", b"second as sent", b"third"], source=Source(name="ivr"))
    )

    assert [verdict.outcome for verdict in verdicts] == [Outcome.REJECTED, Outcome.REJECTED, Outcome.ACCEPTED]
    assert [letter.value for letter in bench.publisher.dead_letters] == [b"first as sent", b"second as sent"]
    assert [letter.code for letter in bench.publisher.dead_letters] == ["not_an_object", "invalid_field"]
