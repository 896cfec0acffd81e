"""Checks of teams: endpoints that take nothing, and routes and issues of which nobody would be told."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from services.alerts.notify.reachability import (
    Reachability,
    ReachabilityReport,
    SilenceReason,
    SilentEndpoint,
    Way,
)
from waymark.console import say
from waymark.doctor.finding import DoctorFinding, broken, fine, look


def examine_teams(heard: ReachabilityReport, now: datetime) -> Iterable[DoctorFinding]:
    """Return every finding about who is told; a broken one leaves somebody uninformed through no choice of theirs."""
    if not heard.endpoints and not heard.begun:
        yield _nobody_yet()
        return
    yield _endpoints(heard, now)
    yield _routes(heard, now)


def _nobody_yet() -> DoctorFinding:
    detail = say(
        "none: issues are shown in the console, nobody is told",
        "없음: 이슈는 콘솔에만 표시되고 아무에게도 알리지 않습니다",
    )
    return look("endpoints", detail, _add())


def _add() -> str:
    return say(
        "add an endpoint with catch_all: `POST /v1/endpoints` (docs/alerts.md)",
        "catch_all 엔드포인트를 추가하세요: `POST /v1/endpoints` (docs/alerts.md)",
    )


def _endpoints(heard: ReachabilityReport, now: datetime) -> DoctorFinding:
    told = "; ".join(_silent(one, now) for one in heard.silent)
    given_up = heard.waiting.given_up
    if any(one.why is not SilenceReason.BY_HAND for one in heard.silent):
        fix = say(
            "mend the receiver and enable it where it is disabled: `PATCH /v1/endpoints/{id}`; what waits is sent then",
            "수신 측을 고치고, 비활성화되었으면 `PATCH /v1/endpoints/{id}`로 활성화하세요. 대기 중인 알림이 전송됩니다",
        )
        return broken("endpoints", told, fix)
    if any(one.waiting.count for one in heard.silent):
        fix = say(
            "enable it when it is time; what waits is sent then",
            "때가 되면 활성화하세요. 대기 중인 알림은 그때 전송됩니다",
        )
        return look("endpoints", told, fix)
    if given_up:
        detail = say(f"{given_up} messages are tried no more", f"재시도를 포기한 알림 {given_up}건")
        fix = say(
            "see `GET /v1/endpoints/{id}/deliveries?state=exhausted`; send again: `POST /v1/deliveries/{id}/replay`",
            "`GET /v1/endpoints/{id}/deliveries?state=exhausted` 확인 후 `POST /v1/deliveries/{id}/replay`로 재전송",
        )
        return look("endpoints", detail, fix)
    detail = say(
        f"{heard.living} of {heard.endpoints} alive, {heard.catching} of them catch all",
        f"{heard.endpoints}개 중 {heard.living}개 정상, 그중 catch_all {heard.catching}개",
    )
    return fine("endpoints", detail)


def _silent(one: SilentEndpoint, now: datetime) -> str:
    whys = {
        SilenceReason.BY_HAND: say("disabled by hand", "사람이 비활성화함"),
        SilenceReason.GONE: say("answered 410 and was disabled", "410을 응답하여 비활성화됨"),
        SilenceReason.FAILING: say("failed for days and was disabled", "며칠간 실패하여 비활성화됨"),
        SilenceReason.UNREACHABLE: say("does not take what is sent", "전송을 받지 않음"),
        SilenceReason.HOLDING: say("takes nothing, and asks for time", "받지 않고 시간을 요청함"),
    }
    said = [f"{one.endpoint.name}: {whys[one.why]}"]
    if one.since is not None:
        said.append(_since(one.since, now))
    if one.waiting.count:
        said.append(say(f"{one.waiting.count} messages wait", f"알림 {one.waiting.count}건 대기"))
    return ", ".join(said)


def _since(since: datetime, now: datetime) -> str:
    minutes = max(0, int((now - since).total_seconds() // 60))
    moment = f"{since:%Y-%m-%dT%H:%M:%SZ}"
    return say(f"since {moment} ({minutes} min)", f"{moment}부터 ({minutes}분)")


def _routes(heard: ReachabilityReport, now: datetime) -> DoctorFinding:
    problems = list(_unheard(heard, now))
    if problems:
        fix = say(
            "mend an endpoint above, or add a living one with catch_all: `POST /v1/endpoints` (docs/alerts.md)",
            "위 엔드포인트를 고치거나 catch_all 엔드포인트를 추가하세요: `POST /v1/endpoints` (docs/alerts.md)",
        )
        return broken("routes", "; ".join(problems), fix)
    if caught := heard.ways_that(Reachability.CAUGHT):
        detail = say(
            f"without a living endpoint of their own, caught by others: {_names(caught)}",
            f"자체 엔드포인트가 없어 catch_all이 대신 받는 라우트: {_names(caught)}",
        )
        fix = say("give these routes or their teams an endpoint", "이 라우트나 팀에 엔드포인트를 지정하세요")
        return look("routes", detail, fix)
    count = len(heard.ways_that(Reachability.HEARD))
    return fine("routes", say(f"all {count} are heard", f"{count}개 모두 전달됩니다"))


def _unheard(heard: ReachabilityReport, now: datetime) -> Iterator[str]:
    if ways := heard.ways_that(Reachability.UNHEARD):
        yield say(f"nobody hears of: {_names(ways)}", f"아무도 알림을 받지 못함: {_names(ways)}")
    if heard.unheard.count and heard.unheard.since is not None:
        since = _since(heard.unheard.since, now)
        count = heard.unheard.count
        yield say(
            f"{count} open issues of which nobody was told, {since}",
            f"아무에게도 알리지 못한 열린 이슈 {count}건, {since}",
        )


def _names(ways: Iterable[Way]) -> str:
    rest = say("what no route takes", "라우트에 해당하지 않는 이슈")
    return ", ".join(way.route.name if way.route else rest for way in ways)
