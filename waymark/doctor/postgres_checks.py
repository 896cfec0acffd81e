"""Checks of PostgreSQL: does it answer, tables, clocks, and what the services left in it for somebody to look at."""

from collections.abc import Callable
from datetime import datetime

from schemas import topics
from services.alerts.admin import operator_access as alerts
from services.journey import administration as journey
from services.runtime.addresses import postgres_url
from services.runtime.log.progress import TopicLine
from services.runtime.postgres.pools import Connection
from services.runtime.postgres.server_facts import ServerFacts, read_facts
from waymark.console import masked, say
from waymark.database import UnusableDatabaseError, open_session
from waymark.doctor.finding import DoctorFinding, broken, fine, look
from waymark.doctor.team_checks import examine_teams
from waymark.migrations.migrate import status

MOST_SKEW_S = 2.0
STALE_S = 60
OLDEST_POSTGRES = 150_000
MOST_DEAD_LETTERS = 100
"""So many that could not be applied are no stray records: something writes what nobody can read."""

WAITS_S = 60.0
"""A record that waits longer to be published is worth a word."""

LONGEST_UNPUBLISHED_S = 600


async def examine_postgres(url: str, line: str, now: Callable[[], datetime]) -> list[DoctorFinding]:
    """Return every finding about the database. `line` is the log's, empty where Kafka does not answer."""
    if problems := postgres_url.problems(url):
        detail = "; ".join(f"WAYMARK_POSTGRES: {problem}" for problem in problems)
        return [broken("postgres", detail, say("correct this variable", "이 변수를 바로잡으세요"))]
    findings: list[DoctorFinding] = []
    try:
        async with open_session(url, "waymark-doctor", writes=False) as connection:
            facts = await read_facts(connection, now)
            findings += [_version(facts, url), _writing(facts), _clock(facts)]
            migrations = _migrations(url)
            findings.append(migrations)
            if not migrations.fix:
                findings += await _state(connection, line, now)
    except UnusableDatabaseError as error:
        findings.append(_unusable(url, error))
    return findings


def _unusable(url: str, error: UnusableDatabaseError) -> DoctorFinding:
    if error.wrong is not None:
        detail = f"WAYMARK_POSTGRES: {error.wrong}"
        return broken("postgres", detail, say("correct this variable", "이 변수를 바로잡으세요"))
    fix = say(
        "start it (`waymark up` brings one), or set WAYMARK_POSTGRES to its URL",
        "PostgreSQL을 시작하거나(`waymark up`에 포함) WAYMARK_POSTGRES에 URL을 지정하세요",
    )
    reason = error.reason
    detail = say(f"{masked(url)} cannot be used: {reason}", f"{masked(url)}: 접속할 수 없습니다 ({reason})")
    return broken("postgres", detail, fix)


def _version(facts: ServerFacts, url: str) -> DoctorFinding:
    version = facts.version
    number = f"{version // 10_000}.{version % 10_000}"
    detail = say(f"{masked(url)} answers, version {number}", f"{masked(url)}: 정상 응답, 버전 {number}")
    if version < OLDEST_POSTGRES:
        return broken(
            "postgres", detail, say("Waymark needs PostgreSQL 15 or newer", "PostgreSQL 15 이상이 필요합니다")
        )
    return fine("postgres", detail)


def _writing(facts: ServerFacts) -> DoctorFinding:
    """Check that the server takes writes; a standby answers everything else just as well."""
    if facts.standby:
        fix = say(
            "name all servers in WAYMARK_POSTGRES, with ?target_session_attrs=read-write, or promote this one",
            "WAYMARK_POSTGRES에 모든 서버를 ?target_session_attrs=read-write와 함께 적거나 이 서버를 승격하세요",
        )
        return broken("writes", say("this server is a standby", "이 서버는 대기(standby) 서버입니다"), fix)
    if facts.read_only:
        fix = say(
            "see who set default_transaction_read_only: ALTER SYSTEM, ALTER DATABASE or ALTER ROLE",
            "default_transaction_read_only를 설정한 곳을 확인하세요: ALTER SYSTEM, ALTER DATABASE, ALTER ROLE",
        )
        return broken("writes", say("this server takes no writes", "이 서버는 쓰기를 받지 않습니다"), fix)
    return fine("writes", say("taken", "받음"))


def _clock(facts: ServerFacts) -> DoctorFinding:
    """Compare the database's time with ours."""
    skew = abs(facts.ahead_s)
    if skew > MOST_SKEW_S:
        detail = say(
            f"this machine and PostgreSQL differ by {skew:.1f} s",
            f"이 서버와 PostgreSQL의 시각이 {skew:.1f}초 다릅니다",
        )
        return look("clock", detail, say("let both follow NTP", "양쪽 모두 NTP로 시각을 동기화하세요"))
    close = f"{max(skew, 0.001):.3f}"
    return fine("clock", say(f"within {close} s of PostgreSQL's", f"PostgreSQL과의 차이 {close}초 이내"))


def _migrations(url: str) -> DoctorFinding:
    found = status(url)
    if found.up_to_date:
        return fine("migrations", ", ".join(found.current))
    there, wanted = ", ".join(found.current) or say("none", "없음"), ", ".join(found.wanted)
    detail = say(f"there: {there}; wanted: {wanted}", f"현재: {there}, 필요: {wanted}")
    return broken("migrations", detail, say("run `waymark migrate`", "`waymark migrate`를 실행하세요"))


async def _state(connection: Connection, line: str, now: Callable[[], datetime]) -> list[DoctorFinding]:
    partitions = await _partitions(connection, line)
    worker = await journey.read_health(connection, longer_than_s=WAITS_S)
    inbox = await alerts.read_health(connection, now(), longer_than_s=WAITS_S)
    return [
        partitions,
        _counted(
            "dead letters",
            worker.dead_letters + inbox.dead_letters,
            say("records could not be applied", "처리하지 못한 레코드"),
            "waymark dlq list",
            broken_from=MOST_DEAD_LETTERS,
        ),
        _counted(
            "rules",
            worker.failing_rules,
            say("rules failed for some customers", "일부 고객에게서 평가에 실패한 규칙"),
            say(
                "see journey.rule_failures and the worker's log; mend the rule and restart the worker",
                "journey.rule_failures와 워커 로그를 확인하고, 규칙을 고친 뒤 워커를 다시 시작하세요",
            ),
        ),
        _counted(
            "identity",
            worker.shared_identifiers,
            say(
                "identifiers are shared by many people, and link nobody",
                "여러 사람이 함께 써서 연결에 쓰지 않는 식별자",
            ),
            say(
                "`waymark identity show` lists them: a shop's telephone is right; block a placeholder at its source",
                "`waymark identity show`로 보세요. 매장 전화는 정상, 자리 채움 값은 보내는 쪽에서 막으세요",
            ),
        ),
        _outbox(worker.unpublished + inbox.unpublished, max(worker.oldest_unpublished_s, inbox.oldest_unpublished_s)),
        *examine_teams(inbox.reachability, now()),
    ]


def _counted(name: str, count: int, what: str, fix: str, *, broken_from: int | None = None) -> DoctorFinding:
    detail = say(f"{count} {what}", f"{what} {count}건")
    if broken_from is not None and count >= broken_from:
        return broken(name, detail, fix)
    return look(name, detail, fix) if count else fine(name, detail)


def _outbox(count: int, oldest_s: float) -> DoctorFinding:
    """Check how long rows wait to be published; after a while, nobody downstream hears of anything."""
    minutes = int(oldest_s // 60)
    detail = say(
        f"{count} records wait for more than a minute to be published, the oldest for {minutes} min",
        f"1분 넘게 발행을 기다리는 레코드 {count}건, 가장 오래된 것은 {minutes}분",
    )
    fix = say(
        "see whether Kafka takes writes, and the logs of the journey worker and alerts",
        "Kafka에 쓰기가 되는지, journey 워커와 alerts의 로그를 확인하세요",
    )
    if oldest_s > LONGEST_UNPUBLISHED_S:
        return broken("outbox", detail, fix)
    if count:
        return look("outbox", detail, fix)
    return fine("outbox", say("nothing waits for more than a minute", "1분 넘게 기다리는 레코드 없음"))


async def _partitions(connection: Connection, line: str) -> DoctorFinding:
    """Find partitions that hold the horizon back: timers do not fire while one of them has no recent mark."""
    topic = topics.load()["touchpoints"]
    if not line:
        detail = say("unknown while Kafka does not answer", "Kafka가 응답하지 않아 알 수 없습니다")
        return look("partitions", detail, say("see kafka above", "위의 kafka 항목을 확인하세요"))
    behind = await journey.partition_ages(connection, TopicLine(name=line, topic=topic.name))
    never = [number for number in range(topic.partitions) if behind.get(number) is None]
    stale = [number for number, age in behind.items() if age is not None and age > STALE_S]
    if never or stale:
        return _held_back(never, stale, topic.partitions)
    return fine(
        "partitions",
        say(
            f"all {topic.partitions} followed to within {STALE_S} s",
            f"{topic.partitions}개 모두 {STALE_S}초 이내로 따라잡음",
        ),
    )


def _held_back(never: list[int], stale: list[int], count: int) -> DoctorFinding:
    told = [say(f"never applied: {_list(never)}", f"한 번도 처리되지 않음: {_list(never)}")] if never else []
    if stale:
        told.append(say(f"behind by more than {STALE_S} s: {_list(stale)}", f"{STALE_S}초 넘게 밀림: {_list(stale)}"))
    fix = say(
        "see that enough journey workers run and are ready; timers wait for these partitions",
        "journey 워커가 충분히 실행 중이고 준비되었는지 확인하세요. 타이머는 이 파티션들을 기다립니다",
    )
    return look("partitions", "; ".join(told) + say(f" (of {count})", f" (전체 {count}개)"), fix)


def _list(numbers: list[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))
