"""The real processes with settings that cannot work: one line, exit code 2, nothing secret, nothing started."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.command import run_waymark
from tests.fixtures.free_ports import free_block
from tests.fixtures.secured_kafka import PASSWORD
from waymark.launchers.child_process import free_port

PROCESSES = {"ingest": "INGEST", "journey": "JOURNEY", "journey-api": "JOURNEY_API", "alerts": "ALERTS"}
EVERY = {**PROCESSES, "console": "CONSOLE"}
"""The console has no database to be refused by."""
RULES = """\
extends: default
change:
  long_wait:
    severity: loud
  no_such_rule:
    enabled: false
rules:
  - id: mine
    shape: count
    severity: low
    at_least: 2
    of: {colour: red}
    title: {en: a, ko: b}
    explanation: {en: a, ko: b}
"""


def started(process: str, **environ: str) -> subprocess.CompletedProcess[str]:
    ports = {f"WAYMARK_{name}_PORT": "0" for name in EVERY.values()}
    whole = {"WAYMARK_KAFKA": f"127.0.0.1:{free_port()}", **ports, **environ}
    return run_waymark("serve", process, environ=whole, within=30.0)


def refused(process: str, variable: str, **environ: str) -> str:
    ended = started(process, **environ)
    said = ended.stdout + ended.stderr
    assert ended.returncode == 2, said
    assert f"{variable}: " in said
    assert "Traceback" not in said
    assert PASSWORD not in said
    return said


@pytest.mark.parametrize("process", PROCESSES)
def test_what_postgres_refuses_ends_a_start_at_once(database: str, process: str) -> None:
    credentials, _, place = database.rpartition("@")
    user = credentials.rpartition(":")[0]

    said = refused(process, "WAYMARK_POSTGRES", WAYMARK_POSTGRES=f"{user}:wrong-word@{place}")
    assert "refuses this user" in said
    assert "wrong-word" not in said
    nowhere = f"{credentials}@{place.partition('/')[0]}/no_such_database"
    assert "no database of this name" in refused(process, "WAYMARK_POSTGRES", WAYMARK_POSTGRES=nowhere)


@pytest.mark.parametrize("process", EVERY)
def test_a_port_that_is_taken_is_named(database: str, process: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        variable = f"WAYMARK_{EVERY[process]}_PORT"
        taken = {variable: str(other.getsockname()[1]), "WAYMARK_POSTGRES": database}
        assert "in use already" in refused(process, variable, **taken)


def test_a_raw_character_in_the_password_is_named_and_the_password_is_not() -> None:
    url = f"postgresql://waymark:{PASSWORD}@127.0.0.1/waymark"

    assert "%23" in refused("ingest", "WAYMARK_POSTGRES", WAYMARK_POSTGRES=url)


def test_a_rules_file_with_mistakes_is_refused_with_every_mistake_and_its_line(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES, encoding="utf-8")
    said = refused("journey", "WAYMARK_JOURNEY_RULES", WAYMARK_JOURNEY_RULES=str(rules))

    assert str(rules) in said
    assert "severity" in said
    assert "(line 4)" in said
    assert "no_such_rule" in said
    assert "(line 5)" in said
    assert "mine" in said
    assert "(line 8)" in said


def test_doctor_names_the_mistakes_of_a_rules_file_too(tmp_path: Path, database: str) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES, encoding="utf-8")
    environ = {"WAYMARK_POSTGRES": database, "WAYMARK_JOURNEY_RULES": str(rules)}
    ended = run_waymark("doctor", environ=environ)

    assert ended.returncode == 1
    assert "(line 4)" in ended.stdout
    assert "(line 8)" in ended.stdout


def test_the_policy_and_the_systems_of_ingest_are_refused_together(tmp_path: Path) -> None:
    policy, systems = tmp_path / "privacy.yaml", tmp_path / "systems"
    policy.write_text("default: {text: encript}\n", encoding="utf-8")
    systems.mkdir()
    (systems / "crm.yaml").write_text("nothing: of this\n", encoding="utf-8")
    said = refused(
        "ingest",
        "WAYMARK_INGEST_PRIVACY",
        WAYMARK_INGEST_PRIVACY=str(policy),
        WAYMARK_INGEST_SYSTEMS=str(systems),
    )

    assert "default.text" in said
    assert "crm" in said


def test_a_variable_that_nothing_reads_is_a_warning_with_the_nearest_name(database: str) -> None:
    credentials, _, place = database.rpartition("@")
    wrong = f"{credentials}@{place.partition('/')[0]}/no_such_database"
    ended = started("ingest", WAYMARK_POSTGRES=wrong, WAYMARK_KAFAK="x")

    assert "did you mean WAYMARK_KAFKA?" in ended.stderr


def test_a_database_without_tables_is_reported_with_what_is_missing(postgres_url: str) -> None:
    ended = started("ingest", WAYMARK_POSTGRES=postgres_url)

    assert ended.returncode == 1
    assert "waymark migrate" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_up_and_migrate_refuse_what_postgres_refuses_in_one_line_too(database: str, tmp_path: Path) -> None:
    credentials, _, place = database.rpartition("@")
    wrong = f"{credentials.rpartition(':')[0]}:wrong-word@{place}"
    for command in (("up", "--port-base", str(free_block())), ("migrate",)):
        ended = run_waymark(*command, environ={"WAYMARK_POSTGRES": wrong, "WAYMARK_DATA_DIR": str(tmp_path / "data")})
        assert ended.returncode == 2, ended.stderr
        assert "WAYMARK_POSTGRES: PostgreSQL refuses this user with this password" in ended.stderr
        assert "Traceback" not in ended.stderr
        assert "wrong-word" not in ended.stderr
    assert not (tmp_path / "data").exists()


HEAVY = ("aiokafka", "alembic", "asyncpg", "fastapi", "faust", "psycopg", "sqlalchemy", "starlette", "uvicorn")
"""Each takes a tenth of a second and more to load; a refusal needs none of them."""

LOADED = f"""\
import sys
from waymark.cli import main
try:
    main()
finally:
    print("loaded:", *sorted(set({HEAVY!r}) & sys.modules.keys()))
"""
RAW = f"postgresql://waymark:{PASSWORD}@127.0.0.1/waymark"
EARLY = {
    "ingest": (("serve", "ingest"), {"WAYMARK_INGEST_MAX_ITEMS": "many"}, "WAYMARK_INGEST_MAX_ITEMS"),
    "journey": (("serve", "journey"), {"WAYMARK_POSTGRES": RAW}, "WAYMARK_POSTGRES"),
    "journey-api": (("serve", "journey-api"), {"WAYMARK_POSTGRES": RAW}, "WAYMARK_POSTGRES"),
    "alerts": (("serve", "alerts"), {"WAYMARK_POSTGRES": RAW}, "WAYMARK_POSTGRES"),
    "console": (("serve", "console"), {"WAYMARK_CONSOLE_ALERTS_URL": "alerts:8082"}, "WAYMARK_CONSOLE_ALERTS_URL"),
    "migrate": (("migrate",), {"WAYMARK_POSTGRES": RAW, "WAYMARK_POSTGRES_DIRECT": RAW}, "WAYMARK_POSTGRES_DIRECT"),
    "up": (("up",), {"WAYMARK_POSTGRES": RAW, "WAYMARK_ALERTS_PRT": "1"}, "WAYMARK_ALERTS_PRT"),
    "up with a Kafka": (("up",), {"WAYMARK_KAFKA": f"me:{PASSWORD}@kafka"}, "WAYMARK_KAFKA"),
}


@pytest.mark.parametrize("case", EARLY)
def test_a_wrong_setting_is_refused_before_anything_heavy_is_loaded(case: str, tmp_path: Path) -> None:
    arguments, environ, variable = EARLY[case]
    said = refused_early(arguments, {**environ, "WAYMARK_DATA_DIR": str(tmp_path / "data")})

    assert f"{variable}: " in said
    assert not (tmp_path / "data").exists(), "nothing is started"


@pytest.mark.parametrize("arguments", [("serve", "journey"), ("serve", "ingest"), ("up",)])
def test_files_with_mistakes_are_refused_before_anything_heavy_is_loaded(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    rules, policy = tmp_path / "rules.yaml", tmp_path / "privacy.yaml"
    rules.write_text(RULES, encoding="utf-8")
    policy.write_text("default:\n  text: encript\n", encoding="utf-8")
    environ = {"WAYMARK_JOURNEY_RULES": str(rules), "WAYMARK_INGEST_PRIVACY": str(policy)}
    said = refused_early(arguments, {**environ, "WAYMARK_DATA_DIR": str(tmp_path / "data")})

    if arguments != ("serve", "ingest"):
        assert f"WAYMARK_JOURNEY_RULES: {rules}: " in said
        assert "(line 4)" in said
    if arguments != ("serve", "journey"):
        assert f"WAYMARK_INGEST_PRIVACY: {policy}: default.text: use one of" in said
        assert "(line 2)" in said


@pytest.mark.parametrize("process", PROCESSES)
def test_a_wrong_password_is_refused_before_the_process_itself_is_loaded(database: str, process: str) -> None:
    credentials, _, place = database.rpartition("@")
    environ = {"WAYMARK_POSTGRES": f"{credentials.rpartition(':')[0]}:wrong-word@{place}"}
    ended = tried(("serve", process), environ)

    assert ended.returncode == 2, ended.stderr
    assert "refuses this user with this password" in ended.stderr
    assert not {"alembic", "fastapi", "faust", "sqlalchemy", "uvicorn"} & set(ended.stdout.split())


def refused_early(arguments: tuple[str, ...], environ: dict[str, str]) -> str:
    ended = tried(arguments, environ)
    assert ended.returncode == 2, ended.stderr
    assert ended.stdout.splitlines() == ["loaded:"]
    assert "Traceback" not in ended.stderr
    assert PASSWORD not in ended.stderr
    return ended.stderr


def tried(arguments: tuple[str, ...], environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """The command in a process that tells in the end what it has loaded."""
    whole = {"PATH": os.environ["PATH"], **environ}
    base = ("--port-base", str(free_block())) if arguments == ("up",) else ()
    command = [sys.executable, "-c", LOADED, *arguments, *base]
    return subprocess.run(command, env=whole, capture_output=True, text=True, timeout=30, check=False)


def test_doctor_says_of_a_setting_that_several_processes_refuse_once_what_is_wrong() -> None:
    ended = run_waymark("doctor", "--json", environ={"WAYMARK_POSTGRES": RAW, "WAYMARK_DATA_DIR": "/nowhere"})
    settings = next(one for one in json.loads(ended.stdout)["findings"] if one["name"] == "settings")

    assert settings["detail"].count("WAYMARK_POSTGRES: ") == 1
    assert PASSWORD not in ended.stdout + ended.stderr
