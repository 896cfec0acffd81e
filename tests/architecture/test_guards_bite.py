"""Each guard is shown a violation, in a copy of the tree, and must refuse it: what never bites guards nothing."""

import ast
import re
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

from tests.architecture.tree import PACKAGES, ROOT, modules, parsed

_BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the packages and of the guards' configuration."""
    root = tmp_path_factory.mktemp("tree")
    for path in modules(*PACKAGES):
        target = root / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    for name in (".importlinter", "pyproject.toml"):
        shutil.copyfile(ROOT / name, root / name)
    return root


def _run(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([_BIN / command[0], *command[1:]], cwd=root, capture_output=True, text=True, check=False)


class _Smuggled:
    """A line added to a module of the copy, or a new module with that line; taken away on leaving."""

    def __init__(self, path: Path, line: str) -> None:
        self._path = path
        self._line = line
        self._before = path.read_text(encoding="utf-8") if path.exists() else None

    def __enter__(self) -> None:
        self._path.write_text((self._before or "") + f"\n{self._line}\n", encoding="utf-8")

    def __exit__(self, *_: object) -> None:
        if self._before is None:
            self._path.unlink()
        else:
            self._path.write_text(self._before, encoding="utf-8")


def test_the_copy_keeps_every_import_contract(copy: Path) -> None:
    done = _run(copy, "lint-imports", "--no-cache", "--no-logo")

    assert done.returncode == 0, done.stdout


_SMUGGLED = [
    ("independent-services", "services/alerts/stray.py", "import services.journey.domain"),
    ("runtime-addresses", "services/runtime/addresses/value_forms.py", "import services.runtime.addresses.brokers"),
    ("runtime-http", "services/runtime/http/problems.py", "import services.runtime.http.server"),
    ("runtime-kafka", "services/runtime/kafka/group_commit.py", "import services.runtime.kafka.producer"),
    ("runtime-postgres", "services/runtime/postgres/address.py", "import services.runtime.postgres.pools"),
    ("runtime-log", "services/runtime/log/helpers.py", "import schemas"),
    ("ground", "services/runtime/stray.py", "import waymark"),
    ("ground", "schemas/stray.py", "import services.runtime.clock"),
    ("every-service", "services/stray.py", "import schemas"),
    ("no-cycles", "services/runtime/telemetry/health.py", "import services.runtime.kafka.producer"),
    ("pure-domain", "services/journey/domain/stray.py", "import asyncio"),
    ("pure-domain", "services/alerts/issues/placement.py", "import services.runtime.clock"),
    ("pure-domain", "services/journey/domain/effort.py", "import schemas.kinds"),
    ("schemas", "schemas/vocabulary.py", "import schemas.documents.friction"),
    ("schemas-documents", "schemas/documents/issue.py", "import schemas.documents.friction"),
    ("schemas-identifiers", "schemas/identifiers/telephone.py", "import schemas.identifiers.spelling"),
    ("runtime", "services/runtime/kafka/producer.py", "import services.runtime.postgres.pools"),
    ("command", "waymark/target.py", "import waymark.local.plan"),
    ("command-customer", "waymark/customer/story_words.py", "import waymark.customer.customer_story"),
    ("command-imports", "waymark/imports/mapping/recipe.py", "import waymark.imports.run"),
    ("command-import-formats", "waymark/imports/formats/texts.py", "import waymark.imports.formats.rows"),
    ("command-import-mapping", "waymark/imports/mapping/values.py", "import waymark.imports.mapping.recipe"),
    ("command-local", "waymark/local/plan.py", "import waymark.local.local_stack"),
    ("command-demo", "waymark/demo/retailer.py", "import waymark.demo.play"),
    ("command-doctor", "waymark/doctor/kafka_checks.py", "import waymark.doctor.process_checks"),
    ("ingest", "services/ingest/helpers.py", "import schemas"),
    ("ingest", "services/ingest/touchpoint/acceptance.py", "import services.ingest.forms.native.post_touchpoints"),
    ("ingest-forms", "services/ingest/forms/segment/fields.py", "import services.ingest.forms.webhooks.delivery"),
    ("ingest-segment", "services/ingest/forms/segment/fields.py", "import services.ingest.forms.segment.batch"),
    ("ingest-cloudevents", "services/ingest/forms/cloudevents/stray.py", "import schemas"),
    ("ingest-webhooks", "services/ingest/forms/webhooks/delivery.py", "import services.ingest.forms.webhooks.bindings"),
    ("ingest-mapping", "services/ingest/forms/mapping/stray.py", "import schemas"),
    ("ingest-systems", "services/ingest/forms/webhooks/mapping/stray.py", "import schemas"),
    ("ingest-inspector", "services/ingest/inspector/logbook.py", "import services.ingest.inspector.rendering"),
    ("ingest-sentiment", "services/ingest/sentiment/lexicon.py", "import services.ingest.sentiment.estimator"),
    (
        "ingest-sentiment-model",
        "services/ingest/sentiment/model/house_model.py",
        "import services.ingest.sentiment.model.model_asking",
    ),
    ("ingest-decisions", "services/ingest/touchpoint/acceptance.py", "import services.ingest.metrics"),
    ("journey", "services/journey/store/customers.py", "import services.journey.apply.applier"),
    ("journey", "services/journey/helpers.py", "import schemas"),
    ("journey-domain", "services/journey/domain/effort.py", "import services.journey.domain.projection"),
    (
        "journey-contacts",
        "services/journey/domain/contacts/contact_policy.py",
        "import services.journey.domain.contacts.contact",
    ),
    (
        "journey-identity",
        "services/journey/domain/identity/facts.py",
        "import services.journey.domain.identity.planning",
    ),
    ("journey-rules", "services/journey/domain/rules/matching.py", "import services.journey.domain.rules.units"),
    (
        "journey-rule-shapes",
        "services/journey/domain/rules/shapes/count.py",
        "import services.journey.domain.rules.shapes.absence",
    ),
    ("journey-apply", "services/journey/apply/batch.py", "import services.journey.apply.applier"),
    ("journey-consume", "services/journey/consume/intake.py", "import services.journey.consume.stream"),
    (
        "journey-rehearsal",
        "services/journey/rehearsal/touchpoint_copy.py",
        "import services.journey.rehearsal.part_walk",
    ),
    ("journey-versions", "services/journey/versions/policy_table.py", "import services.journey.versions.in_force"),
    (
        "alerts-feedback",
        "services/alerts/feedback/said_feedback.py",
        "import services.alerts.feedback.feedback_store",
    ),
    ("journey-costs", "services/journey/costs/rule_sample.py", "import services.journey.costs.cost_keeper"),
    (
        "journey-shadowing",
        "services/journey/shadowing/shadow_versions.py",
        "import services.journey.shadowing.shadow_listing",
    ),
    ("pure-domain", "services/journey/repair/differences.py", "import services.runtime.clock"),
    (
        "journey-api-resources",
        "services/journey/api/resources/journey_resource.py",
        "import services.journey.api.resources.customer_resource",
    ),
    ("read-only", "services/journey/read/views.py", "import services.journey.store.customers"),
    ("alerts", "services/alerts/live/feed_store.py", "import services.alerts.consume.intake"),
    ("alerts", "services/alerts/helpers.py", "import schemas"),
    ("alerts-api", "services/alerts/api/views.py", "import services.alerts.api.cursors"),
    ("alerts-consume", "services/alerts/consume/log_health.py", "import services.alerts.consume.intake"),
    ("alerts-deliver", "services/alerts/deliver/helpers.py", "import schemas"),
    ("alerts-issues", "services/alerts/issues/model.py", "import services.alerts.issues.lifecycle"),
    ("alerts-replies", "services/alerts/replies/stray.py", "import msgspec"),
    ("alerts-digest", "services/alerts/digest/daily_digest.py", "import services.alerts.digest.digest_store"),
    ("alerts-loop", "services/alerts/loop/watches.py", "import services.alerts.loop.watch_store"),
    ("alerts-hold", "services/alerts/hold/waits.py", "import services.alerts.hold.groups"),
    ("alerts-outbreaks", "services/alerts/outbreaks/detection.py", "import services.alerts.outbreaks.outbreak_holding"),
    (
        "alerts-policy-file",
        "services/alerts/policy/file/policy_bodies.py",
        "import services.alerts.policy.file.policy_file",
    ),
    ("alerts-policy", "services/alerts/policy/hours.py", "import services.alerts.policy.tree"),
    ("alerts-notifiers", "services/alerts/deliver/notifiers/stray.py", "import msgspec"),
    ("alerts-notify", "services/alerts/notify/routing.py", "import services.alerts.notify.notification"),
    ("console", "services/console/sessions.py", "import services.console.app"),
    ("console-http", "services/console/http/page_files.py", "import services.console.http.forwarding"),
    ("faust", "services/journey/timers/timer_loop.py", "import faust"),
    ("aiokafka", "services/ingest/publish/intake.py", "import aiokafka"),
    ("asyncpg", "services/journey/timers/timer_loop.py", "import asyncpg"),
    ("psycopg", "waymark/keys/key_store.py", "import psycopg"),
    ("fastapi", "services/ingest/touchpoint/acceptance.py", "import fastapi"),
    ("prometheus", "services/ingest/publish/intake.py", "import prometheus_client"),
    ("outbound-http", "services/alerts/admin/administration.py", "import httpx2"),
    ("outbound-mail", "services/alerts/deliver/carrier.py", "import aiosmtplib"),
]


def test_every_contract_is_shown_a_violation() -> None:
    config = ConfigParser()
    config.read(ROOT / ".importlinter")
    contracts = {section.rpartition(":")[2] for section in config.sections() if "contract" in section}

    assert {contract for contract, _, _ in _SMUGGLED} == contracts


@pytest.mark.parametrize(("contract", "module", "line"), _SMUGGLED)
def test_lint_imports_refuses_a_smuggled_import(copy: Path, contract: str, module: str, line: str) -> None:
    with _Smuggled(copy / module, line):
        done = _run(copy, "lint-imports", "--no-cache", "--no-logo", "--contract", contract)

    assert done.returncode == 1, done.stdout
    assert "BROKEN" in done.stdout


@pytest.mark.parametrize(
    ("code", "rule"),
    [
        ("import time\n\n\ndef f() -> float:\n    return time.time()", "TID251"),
        ("import os\n\nHOME = os.environ", "TID251"),
        ("from datetime import datetime\n\nNOW = datetime.now()", "DTZ005"),
        ("def f() -> None:\n    try:\n        g()\n    except Exception:\n        pass", "BLE001"),
        ("import asyncio\n\n\nasync def f() -> None:\n    asyncio.create_task(g())", "RUF006"),
        ("import time\n\n\nasync def f() -> None:\n    time.sleep(1)", "ASYNC251"),
        ("print('here')", "T201"),
        ("from . import clock", "TID252"),
    ],
)
def test_ruff_refuses_a_smuggled_habit(copy: Path, code: str, rule: str) -> None:
    with _Smuggled(copy / "services/runtime/stray.py", code):
        done = _run(copy, "ruff", "check", "--no-cache", "--output-format", "concise", "services/runtime/stray.py")

    assert done.returncode == 1
    assert rule in done.stdout


@pytest.fixture
def untyped(tmp_path: Path) -> Path:
    """Return a folder with one module that mypy's strictness must refuse."""
    shutil.copyfile(ROOT / "pyproject.toml", tmp_path / "pyproject.toml")
    (tmp_path / "stray.py").write_text("def f(x):\n    return x\n")
    return tmp_path


def test_mypy_refuses_an_untyped_function(untyped: Path) -> None:
    done = _run(untyped, "mypy", "--cache-dir", "cache", "stray.py")

    assert done.returncode == 1
    assert "no-untyped-def" in done.stdout


def imports_of_the_project(path: Path) -> set[str]:
    """Return which of the project's packages a module imports."""
    names = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {name for name in names if name.split(".")[0] in PACKAGES}


def test_black_box_tests_import_nothing_of_what_they_test() -> None:
    assert [str(path) for path in modules("tests/e2e") if imports_of_the_project(path)] == []


def test_the_guard_of_black_box_tests_bites(tmp_path: Path) -> None:
    (tmp_path / "test_peeking.py").write_text("def test_it():\n    from services.ingest import app\n")

    assert imports_of_the_project(tmp_path / "test_peeking.py") == {"services.ingest"}


_STATEMENT = re.compile(
    r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH|CREATE|ALTER|DROP|TRUNCATE|COPY|SET|GRANT|LISTEN|NOTIFY|DO)\s"
    r"|.*\b(?i:from|into|update|join|table)\s+(ingest|journey|alerts)\.[a-z_]+",
    re.DOTALL,
)


def statements_in(path: Path) -> list[str]:
    """Return where a module has texts of SQL; what a docstring says is none."""
    tree = parsed(path)
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        f"{path.name}:{node.lineno}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if id(node) not in said and _STATEMENT.match(node.value)
    ]


def test_the_command_leaves_sql_to_the_services() -> None:
    by_hand = (path for path in modules("waymark") if "migrations" not in path.parts)  # which lock, and make a schema

    assert [found for path in by_hand for found in statements_in(path)] == []


@pytest.mark.parametrize(
    "code",
    [
        "ASK = 'SELECT 1'",
        'ASK = """\n  UPDATE t SET a = 1"""',
        "def ask(connection: C) -> None:\n    connection.execute(f'DELETE FROM {table}')",
        "ASK = 'select label from ingest.source_keys'",
    ],
)
def test_the_guard_of_sql_bites(tmp_path: Path, code: str) -> None:
    (tmp_path / "peeking.py").write_text(f'"""SELECT nothing from ingest.sources here."""\n\n{code}\n')

    assert len(statements_in(tmp_path / "peeking.py")) == 1
