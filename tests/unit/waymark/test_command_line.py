import subprocess
import sys

import pytest

from tests.fixtures.command import run_waymark


def waymark(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command, from beginning to end."""
    return run_waymark(*words, environ={"LANG": "C.UTF-8", "COLUMNS": "100", "NO_COLOR": "1", **environment})


@pytest.mark.parametrize("command", ["up", "send", "import", "doctor", "dlq", "keys", "migrate", "topics", "serve"])
def test_every_command_explains_itself(command: str) -> None:
    helped = waymark(command, "--help")
    assert helped.returncode == 0
    assert "Usage: waymark" in helped.stdout


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys; sys.argv = ['waymark', '--help']\n"
        "from waymark.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'aiokafka', 'fastapi', 'faust', 'psycopg', 'pydantic', 'sqlalchemy', 'httpx2', 'asyncpg'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines()[-1] == "[]"


def test_help_is_korean_where_the_locale_is() -> None:
    assert "이 컴퓨터에서 실행합니다" in waymark("--help", LANG="ko_KR.UTF-8").stdout


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("up", "--broker", "redpanda"),
        ("keys", "create"),
        ("keys", "create", "--role", "king"),
        ("keys", "create", "--source", "ivr", "--channel", "fax"),
        ("send", "--kind", "call_started"),
        ("send", "--kind", "call_started", "--customer", "010"),
        ("dlq", "requeue"),
        ("import", "/nowhere.csv"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_what_is_wrong(words: tuple[str, ...]) -> None:
    refused = waymark(*words)
    assert refused.returncode == 2
    assert refused.stderr.strip()
    assert "Traceback" not in refused.stderr


def test_settings_that_are_wrong_are_all_named_before_anything_starts() -> None:
    refused = waymark("serve", "ingest", WAYMARK_INGEST_PORT="high", WAYMARK_INGEST_MAX_ITEM="5")
    assert refused.returncode == 2
    assert "WAYMARK_INGEST_PORT" in refused.stderr
    assert "did you mean WAYMARK_INGEST_MAX_ITEMS?" in refused.stderr


def test_a_broken_database_is_reported_in_one_line_without_its_password() -> None:
    refused = waymark("migrate", "--check", WAYMARK_POSTGRES="postgresql://waymark:secret@127.0.0.1:1/waymark")
    assert refused.returncode == 1
    assert "PostgreSQL cannot be used" in refused.stderr
    assert "secret" not in refused.stderr
    assert "Traceback" not in refused.stderr
