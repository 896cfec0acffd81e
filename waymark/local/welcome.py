"""What `waymark up` says once everything answers: addresses, keys, a first command, and what not to trust it with."""

from collections.abc import Sequence

from rich.cells import set_cell_size
from rich.console import Group, RenderableType
from rich.text import Text

from waymark.console import say
from waymark.local.plan import BrokerKind, StackPlan
from waymark.target import CommandTarget

NAME_CELLS = 16
VALUE_CELLS = 32


def welcome(plan: StackPlan, target: CommandTarget) -> RenderableType:
    """Return the whole greeting as text."""
    parts: list[RenderableType] = [Text(), _addresses(target), Text(), _keys(target), Text(), _pages(), Text()]
    if plan.broker is BrokerKind.EMBEDDED:
        parts += [_warning(), Text()]
    parts += [Text(say("Send a first touchpoint:", "첫 접점 보내기:"), style="bold"), Text(curl(target)), Text()]
    parts.append(Text(say(f"Logs and data: {plan.folder}. ", f"로그와 데이터: {plan.folder}. "), style="dim"))
    parts.append(Text(say("Ctrl-C stops everything.", "Ctrl-C로 모두 멈춥니다."), style="bold"))
    return Group(*parts)


def curl(target: CommandTarget) -> str:
    """A command to copy. The time is left to the shell, so that it is always now."""
    document = (
        '{"id": "first-\'$(date +%s)\'", "occurred_at": "\'$(date -u +%Y-%m-%dT%H:%M:%SZ)\'", "channel": "phone",'
        ' "kind": "call_started", "direction": "inbound", "customer": {"phone": "+821012345678"}, "reason": "billing"}'
    )
    return (
        f"curl -sS {target.ingest}/v1/touchpoints -H 'Content-Type: application/json' \\\n"
        f"  -H 'Authorization: Bearer {target.keys.get('source', '')}' \\\n"
        f"  -d '{document}'"
    )


def _addresses(target: CommandTarget) -> Text:
    return _lines(
        [
            (say("console", "콘솔"), f"{target.console}/", say("the pages: sign in with a key", "화면: 키로 로그인")),
            (
                say("inspector", "인스펙터"),
                f"{target.ingest}/inspector",
                say("what was sent, and what became of it", "보낸 것과 그 결과"),
            ),
            ("ingest", target.ingest, "POST /v1/touchpoints, /docs"),
            ("journey API", target.journey_api, "GET /v1/customers/…, /docs"),
            ("alerts API", target.alerts, "GET /v1/issues, /v1/stream, /docs"),
            ("journey worker", target.journey, "/readyz?verbose, /metrics"),
            ("Kafka", target.kafka, ""),
            ("PostgreSQL", target.postgres, ""),
        ],
        style="cyan",
    )


def _keys(target: CommandTarget) -> Text:
    return _lines([(say(f"{name} key", f"{name} 키"), key, "") for name, key in target.keys.items()], style="magenta")


def _pages() -> Text:
    """Which key opens which page: a newcomer has four, and each page asks for one."""
    return Text(
        say(
            "The console opens with the agent key (the reader key may look, the admin key may set up),\n"
            "the inspector with the source key (what that source sent) or the reader key (everything).",
            "콘솔은 agent 키로 엽니다(reader 키는 보기만, admin 키는 설정까지).\n"
            "인스펙터는 source 키(그 소스가 보낸 것) 또는 reader 키(전체)로 엽니다.",
        ),
        style="dim",
    )


def _lines(rows: Sequence[tuple[str, str, str]], *, style: str) -> Text:
    """Return aligned lines that are never cut, so that an address or a key can be copied from a narrow terminal."""
    text = Text()
    for name, value, use in rows:
        text.append(set_cell_size(name, NAME_CELLS), "bold")
        text.append(f"{value:<{VALUE_CELLS}}", style)
        text.append(f" {use}".rstrip() + "\n", "dim")
    text.rstrip()
    return text


def _warning() -> Text:
    return Text(
        say(
            "THE EMBEDDED BROKER KEEPS RECORDS IN MEMORY ONLY and has no idempotent producer: what is not processed\n"
            "yet is lost when it stops. For data that matter: waymark up --broker kafka, or --broker HOST:PORT.",
            "내장 브로커는 데이터를 메모리에만 보관하며 멱등 프로듀서를 지원하지 않습니다. 멈추면 아직 처리되지 않은\n"
            "데이터는 사라집니다. 중요한 데이터에는 waymark up --broker kafka 또는 --broker HOST:PORT를 쓰세요.",
        ),
        style="bold yellow",
    )
