"""Checks of Kafka: does it answer, are the topics as declared."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from services.runtime.addresses.brokers import Brokers
from services.runtime.kafka.access_check import find_problem
from services.runtime.kafka.log_ends import cluster_line
from services.runtime.kafka.topics import TopicSpec
from waymark.console import CommandError, say
from waymark.doctor.finding import DoctorFinding, broken, fine, look
from waymark.target import CommandTarget
from waymark.topics.declared_topics import declared

TIMEOUT_S = 8.0


async def examine_kafka(target: CommandTarget) -> tuple[list[DoctorFinding], str]:
    """Return every finding about Kafka, and the line of its log (empty when Kafka does not answer)."""
    try:
        brokers = target.brokers
    except CommandError as error:
        problems = "; ".join(line.strip() for line in str(error).splitlines()[1:])
        return [broken("kafka", problems, say("correct these variables", "이 변수들을 바로잡으세요"))], ""
    if (trouble := await find_problem(brokers)) is not None:
        fix = say("correct this variable", "이 변수를 바로잡으세요") if trouble.wrong else _start()
        return [broken("kafka", say(trouble.text, f"접속할 수 없습니다: {trouble.text}"), fix)], ""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            line = await cluster_line(brokers, target.line)
            found = await _topics(target, brokers)
    except (KafkaError, OSError, TimeoutError) as error:
        reason = type(error).__name__
        detail = say(f"{target.kafka} does not answer: {reason}", f"{target.kafka}: 응답하지 않습니다 ({reason})")
        return [broken("kafka", detail, _start())], ""
    answers = say(f"{target.kafka} answers, line {line}", f"{target.kafka}: 정상 응답, 로그 식별자(line) {line}")
    return [fine("kafka", answers), *_compare(found, configured=target.idempotent)], line


def _start() -> str:
    return say(
        "start it (`waymark up` brings one), or set WAYMARK_KAFKA to where it is",
        "Kafka를 시작하거나(`waymark up`에 포함) WAYMARK_KAFKA에 주소를 지정하세요",
    )


async def _topics(target: CommandTarget, brokers: Brokers) -> dict[str, tuple[int, Mapping[str, str]]]:
    """Return partitions and configuration of the declared topics that exist."""
    names = [spec.name for spec in declared()]
    admin = AIOKafkaAdminClient(**brokers.options, request_timeout_ms=int(TIMEOUT_S * 1000))
    await admin.start()
    try:
        there = set(await admin.list_topics()) & set(names)
        partitions = {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics(sorted(there))}
        configs = await _configs(admin, sorted(there)) if target.idempotent else {}
    finally:
        await admin.close()
    return {name: (count, configs.get(name, {})) for name, count in partitions.items() if name in there}


async def _configs(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    answers: Any = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    resources = [resource for answer in answers for resource in answer.resources]
    return {resource[3]: {entry[0]: entry[1] for entry in resource[4]} for resource in resources}


def _compare(found: Mapping[str, tuple[int, Mapping[str, str]]], *, configured: bool) -> Iterable[DoctorFinding]:
    problems = [problem for spec in declared() for problem in _differences(spec, found.get(spec.name), configured)]
    missing = [spec.name for spec in declared() if spec.name not in found]
    if missing:
        names = ", ".join(missing)
        fix = say("run `waymark topics`", "`waymark topics`를 실행하세요")
        yield broken("topics", say(f"missing: {names}", f"없는 토픽: {names}"), fix)
    if problems:
        fix = say(
            "alter them with kafka-configs, or declare them as they are",
            "kafka-configs로 설정을 변경하거나 현재 값에 맞게 선언을 고치세요",
        )
        yield look("topics", "; ".join(problems), fix)
    if not missing and not problems:
        yield fine("topics", say(f"{len(found)} as declared", f"토픽 {len(found)}개가 선언과 일치"))


def _differences(spec: TopicSpec, found: tuple[int, Mapping[str, str]] | None, configured: bool) -> list[str]:
    if found is None:
        return []
    partitions, config = found
    told = say(
        f"{spec.name}: {partitions} partitions, not {spec.partitions}",
        f"{spec.name}: 파티션 {partitions}개 (선언은 {spec.partitions}개)",
    )
    problems = [] if partitions == spec.partitions else [told]
    if configured:
        problems += [
            say(
                f"{spec.name}: {name} is {config.get(name)}, not {value}",
                f"{spec.name}: {name} 값이 {config.get(name)} (선언은 {value})",
            )
            for name, value in spec.config.items()
            if config.get(name) != value
        ]
    return problems
