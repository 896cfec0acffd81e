"""`waymark funnels`: what the journey API says becomes a table, in both languages, and wrong use is explained."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
from typer.testing import CliRunner

from waymark import console, journey_api
from waymark.cli import app
from waymark.console import CommandError
from waymark.journey_api import JourneyApi

COUNTS: dict[str, Any] = {
    "entered": 1200,
    "reached": 900,
    "reached_rate": 0.75,
    "abandoned": 100,
    "timed_out": 50,
    "open": 150,
    "time_to_reach": {"mean_s": 9000, "p50_s": 9000, "p95_s": 400000},
}
TITLE = {"en": "Delivery", "ko": "배송"}
STAGE = {
    "stage": "preparing",
    "title": {"en": "Being prepared", "ko": "상품 준비"},
    "journeys": 600,
    "share": 0.5,
    "went_on": 300,
    "reached": 100,
    "abandoned": 100,
    "timed_out": 50,
    "open": 50,
    "drop_off_rate": 0.25,
    "overdue": 7,
    "time": {"mean_s": 41, "p50_s": 41, "p95_s": 300},
}
ASKED: list[httpx2.URL] = []


def _api(request: httpx2.Request) -> httpx2.Response:
    ASKED.append(request.url)
    if request.url.path == "/v1/funnels":
        return httpx2.Response(200, json={"funnels": [{"journey": "delivery", "title": TITLE, **COUNTS}]})
    funnel = {"journey": "delivery", "title": TITLE, **COUNTS, "stages": [STAGE]}
    if "by" in request.url.params:
        funnel |= {"by": "channel", "segments": [{"value": "web", **COUNTS}, COUNTS]}
    return httpx2.Response(200, json=funnel)


@pytest.fixture(autouse=True)
def _answers(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def opened(url: str | None, key: str | None) -> Iterator[JourneyApi]:
        client = httpx2.Client(transport=httpx2.MockTransport(_api))
        yield JourneyApi(url=url or "http://api.test", key=key or "wm_reader_x", client=client)

    monkeypatch.setattr(journey_api, "open_journey_api", opened)
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.setattr(console.out, "_width", 200)  # whatever the terminal or COLUMNS say where the tests run
    ASKED.clear()


def said(*words: str) -> str:
    answer = CliRunner().invoke(app, ["funnels", *words], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return answer.stdout


def test_one_funnel_is_told_stage_by_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = said("delivery").splitlines()
    assert lines[0] == (
        "Delivery (delivery)  1,200 entered, 900 reached it (75%), 100 gave up, 50 timed out, 150 under way"
    )
    stage = lines[2].split()
    assert stage[3:] == ["█" * 10, "600", "(50%)", "41", "s", "5", "min", "7", "150", "(25%)", "50"]
    monkeypatch.setenv("LANG", "ko_KR.UTF-8")
    assert said("delivery").startswith("배송 (delivery)  시작 1,200, 완료 900 (75%)")
    assert "상품 준비 (preparing)" in said("delivery")


def test_the_list_and_segments_say_what_became_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    row = said().splitlines()[1]
    assert row.split()[2:] == ["1,200", "900", "(75%)", "100", "50", "150", "2.5", "h", "4.6", "d"]
    segments = said("delivery", "--by", "channel").splitlines()[-2:]
    assert [line.split()[0] for line in segments] == ["web", "unknown"]
    monkeypatch.setenv("LANG", "ko_KR.UTF-8")
    assert [line.split()[0] for line in said("delivery", "--by", "channel").splitlines()[-2:]] == ["웹", "알"]


def test_filters_go_to_the_api_with_the_time_zone_of_the_machine() -> None:
    said("delivery", "--from", "2026-11-01T09:00:00+09:00", "--channel", "web", "--service-level", "premium")
    (url,) = ASKED
    assert url.path == "/v1/funnels/delivery"
    assert (url.params["channel"], url.params["service_level"]) == ("web", "premium")
    assert url.params["from"].startswith("2026-11-01T")


def test_a_document_for_programs_is_what_the_api_said() -> None:
    assert '"drop_off_rate": 0.25' in said("delivery", "--json")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--repair",), "goes with --check"),
        (("--by", "channel"), "waymark funnels JOURNEY --by"),
        (("delivery", "--from", "yesterday"), "--from is no time"),
    ],
)
def test_wrong_use_says_what_to_write(words: tuple[str, ...], says: str) -> None:
    with pytest.raises(CommandError, match=says) as error:
        said(*words)
    assert error.value.exit_code == 2
