"""`.env.example` lists every setting, and what deploys Waymark sets nothing that no process reads."""

import re

import pytest

from services.runtime.settings import Settings
from tests.architecture.settings import EXAMPLE, declared, example
from tests.architecture.tree import ROOT


def test_the_example_lists_every_setting_with_its_default() -> None:
    assert EXAMPLE.read_text(encoding="utf-8") == example(), "run: make env-example"


@pytest.mark.parametrize("settings", declared(), ids=lambda cls: cls.env_prefix)
def test_every_setting_says_what_it_is_in_a_sentence(settings: type[Settings]) -> None:
    silent = [
        name for name, field in settings.model_fields.items() if not (field.description or "").endswith((".", "?"))
    ]

    assert silent == []


@pytest.mark.parametrize("settings", declared(), ids=lambda cls: cls.env_prefix)
def test_one_environment_serves_every_process(settings: type[Settings]) -> None:
    whole = dict(re.findall(r"^# (WAYMARK_\w+)=(.*)$", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE))

    assert settings.load(whole)


def test_deployments_set_only_what_a_process_reads() -> None:
    known = {cls.variable_of(name) for cls in declared() for name in cls.model_fields}
    # The names of the passwords are roles.sql's, and no process's.
    known |= {f"WAYMARK_DB_PASSWORD_{service}" for service in ("INGEST", "JOURNEY", "ALERTS")}
    files = [ROOT / "docker-compose.yml", *sorted((ROOT / "deploy" / "kubernetes").glob("*.yaml"))]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    given = set(re.findall(r"^\s+(WAYMARK_\w+):", text, re.MULTILINE)) | set(re.findall(r"name: (WAYMARK_\w+)", text))

    assert {"WAYMARK_KAFKA", "WAYMARK_INGEST_HOST"} <= given
    assert given - known == set()


def test_compose_asks_for_nothing_that_its_example_does_not_explain() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    asked = set(re.findall(r"\$\{(WAYMARK_\w+)", text))
    explained = set(
        re.findall(r"^(?:# )?(WAYMARK_\w+)=", (ROOT / "deploy" / "compose.env.example").read_text(), re.MULTILINE)
    )

    assert asked == explained
