"""Every setting of every process, with wrong values: one line that names the variable and the mend, never a secret."""

from pathlib import Path

import pytest
from annotated_types import Le, Lt
from pydantic import SecretStr

from services.runtime.settings import MOST_INTEGER, MOST_NUMBER, CommonSettings, Settings, SettingsError, misspelt
from tests.architecture.settings import declared
from waymark.processes.variables import known_variables

SECRET = "hunter2-hunter2-hunter2-hunter2-hunter2"

EVERY = [(cls, field) for cls in declared() for field in cls.model_fields]
NUMBERS = [(cls, field) for cls, field in EVERY if cls.model_fields[field].annotation in {int, float}]
CLOSED = [
    (cls, f) for cls, f in EVERY if cls.model_fields[f].annotation is bool or "Literal" in str(cls.model_fields[f])
]

WRONG = {
    **dict.fromkeys(("host",), ("서울", "a b", "http://127.0.0.1", "10.0.0.300", "127.0.0.1:80", "a..b", "-x")),
    **dict.fromkeys(
        ("rules", "privacy", "sentiment", "kafka_ca_file", "kafka_cert_file", "kafka_key_file", "secret_keys_file"),
        ("/nowhere/f", "/", "없음"),
    ),
    **dict.fromkeys(("systems", "secrets_dir"), ("/nowhere/folder", __file__)),
    "outbreaks": ("10x4", "*=1x4", "*=10x0.5", "*=10", "서울=10x4", "*=10x4,long_wait=all", "*=9999999x4"),
    "kafka": (
        "kafka",
        "kafka:9092x",
        "kafka://kafka:9092",
        f"u:{SECRET}@kafka:9092",
        "a:1,a:1",
        "서버:9092",
        ",",
        "a:0",
    ),
    **dict.fromkeys(
        ("postgres", "postgres_direct"),
        ("localhost", f"postgresql://u:{SECRET}/@h/db", f"postgresql://u:{SECRET}@h:5432x/db", "서울"),
    ),
    **dict.fromkeys(
        ("public_url", "actions_url", "ingest_url", "journey_url", "alerts_url", "traces_endpoint"),
        (
            "shop.example.com",
            "ftp://h",
            f"https://u:{SECRET}@h",
            "https://h?x=1",
            "https://서울/",
            "https://h:99999",
        ),
    ),
    "alerts": ("127.0.0.1:8082", f"http://u:{SECRET}@h:8082", "http://h:99999", "서울"),
    "journey_api": ("127.0.0.1:8081", f"http://u:{SECRET}@h:8081", "http://h:99999", "서울"),
    "sentiment_model": ("서울", "a b", f"http://u:{SECRET}@h", "ftp://h", "https://h?x=1", "https://h:99999"),
    "sentiment_model_key": (f"{SECRET} x", f"{SECRET}\nx", "서울"),
    "outcomes_secret": (SECRET[:31],),
    "path_prefix": ("waymark", "/waymark/", "/a b", "/서울", "/..", "https://h/waymark"),
    "phone_region": ("XX", "KOR", "한국", "1"),
    "trusted_proxies": ("10.0.0.0/33", "서울", "10.0.0.0/8;::1"),
    "allowed_networks": ("10.0.0.1/8", "서울"),
    "target_ports": ("0", "80,x", "99999"),
    "notify_on": ("opened,nothing_of_ours",),
    "frictions_topic": ("a b", "토픽", "x" * 250, "."),
    "journeys_topic": ("a b", "토픽"),
    "issues_topic": ("a/b",),
    "group": ("x" * 256,),
    "kafka_line": ("x" * 256,),
    "secret_keys": (SECRET[:31],),
    "session_keys": (SECRET[:31],),
    "keys": (SECRET, f"wm_agent_a_{SECRET[:7]}", "wm_agent_a_b,wm_agent_c_d,wm_reader_e_f"),
    "keys_for_people": (SECRET, "wm_agent_0123456789ab_secret", "0123456789AB", "0123456789ab;0123456789ac"),
    "oidc_issuer": ("login.example.com", "http://login.example.com", f"https://u:{SECRET}@h", "https://h?x=1"),
    "oidc_scopes": ("profile email", "openids"),
    "oidc_roles": ("desk", "desk=boss", "=agent", "desk=agent,team="),
    **dict.fromkeys(("oidc_name", "oidc_client_id", "oidc_name_claim", "oidc_role_claim"), ("x" * 256,)),
    "privacy_keys": (SECRET[:31],),
    "privacy_secret": (SECRET[:31],),
    "kafka_sasl_mechanism": ("SCRAM", "PLAIN"),
    "kafka_sasl_username": ("somebody",),
    "kafka_sasl_password": (SECRET,),
    "kafka_key_password": (SECRET,),
}
"""By field; what each process must not take. A password of Kafka is wrong where the protocol has no user."""

FREE = {"key_secret", "oidc_client_secret"}
"""Fields that take any text."""


def refused(cls: type[Settings], field: str, value: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        cls.load({cls.variable_of(field): value})
    error = caught.value
    chain = [repr(error), str(error), repr(error.__context__), repr(error.__cause__)]
    assert not any(SECRET[:31] in text for text in (*chain, *error.problems))
    assert all("\n" not in problem and len(problem) < 300 for problem in error.problems)
    assert not any("Value error" in problem or "Input should" in problem for problem in error.problems)
    return error.problems


def test_the_table_knows_every_setting() -> None:
    named = {field for _, field in (*NUMBERS, *CLOSED)} | WRONG.keys() | FREE

    assert {field for _, field in EVERY} - named == set()


@pytest.mark.parametrize(("cls", "field"), [pair for pair in EVERY if pair[1] in WRONG])
def test_a_value_of_the_wrong_form_is_refused_in_a_line_that_names_the_variable(
    cls: type[Settings], field: str
) -> None:
    for value in WRONG[field]:
        if field == "privacy_secret" and cls.env_prefix == "WAYMARK_JOURNEY_API_":
            continue  # which takes what ingest takes, and that refuses it
        problems = refused(cls, field, value)
        assert any(problem.startswith(f"{cls.variable_of(field)}: ") for problem in problems), (value, problems)


@pytest.mark.parametrize(("cls", "field"), NUMBERS)
@pytest.mark.parametrize(
    "value", ["x", "팔", "1e400", "nan", "inf", "-inf", "1" + "0" * 30, "-1" + "0" * 30, "8080x", "0x50"]
)
def test_what_is_no_number_or_an_absurd_one_is_refused_with_the_range(
    cls: type[Settings], field: str, value: str
) -> None:
    (problem,) = refused(cls, field, value)

    assert problem.startswith(f"{cls.variable_of(field)}: is no ")
    assert "the default is" in problem


@pytest.mark.parametrize(("cls", "field"), NUMBERS)
def test_the_greatest_number_that_a_refusal_allows_is_taken(cls: type[Settings], field: str) -> None:
    rules = cls.model_fields[field].metadata
    own = [rule.le for rule in rules if isinstance(rule, Le)] + [rule.lt for rule in rules if isinstance(rule, Lt)]
    most = own[0] if own else MOST_INTEGER if cls.model_fields[field].annotation is int else MOST_NUMBER

    assert getattr(cls.load({cls.variable_of(field): str(most)}), field) == most


@pytest.mark.parametrize(("cls", "field"), CLOSED)
def test_an_unknown_choice_is_answered_with_the_choices(cls: type[Settings], field: str) -> None:
    (problem,) = refused(cls, field, "예")

    assert problem.startswith(f"{cls.variable_of(field)}: is n")
    assert "true" in problem or "," in problem


@pytest.mark.parametrize(("cls", "field"), EVERY)
def test_blanks_and_a_line_break_at_the_ends_change_nothing_but_in_keys_of_what_is_stored(
    cls: type[Settings], field: str
) -> None:
    default = cls.model_fields[field].default
    text = default.get_secret_value() if isinstance(default, SecretStr) else str(default)
    if text and field not in cls.verbatim:
        loaded = cls.load({cls.variable_of(field): f" {text}\r\n"})
        assert getattr(loaded, field) == default
    assert cls.load({cls.variable_of(field): ""})


@pytest.mark.parametrize(("cls", "field"), [pair for pair in EVERY if pair[1] not in pair[0].verbatim])
def test_control_characters_and_bytes_that_are_not_utf8_are_refused(cls: type[Settings], field: str) -> None:
    assert "control character" in refused(cls, field, "a\nb")[0]
    assert "UTF-8" in refused(cls, field, "a\udcffb")[0]


def test_the_key_of_what_is_stored_is_taken_to_the_letter() -> None:
    from services.ingest.settings import IngestSettings

    kept = IngestSettings.load({"WAYMARK_INGEST_KEY_SECRET": "secret\n"}).key_secret

    assert kept.get_secret_value() == "secret\n"


def test_a_mounted_password_loses_the_line_break_that_its_file_ends_in() -> None:
    given = {
        "WAYMARK_KAFKA_SECURITY_PROTOCOL": "sasl_ssl",
        "WAYMARK_KAFKA_SASL_MECHANISM": "scram-sha-512",
        "WAYMARK_KAFKA_SASL_USERNAME": "waymark",
        "WAYMARK_KAFKA_SASL_PASSWORD": " secret\n",
    }
    assert CommonSettings.load(given).brokers.password == " secret"
    assert "secret" not in repr(CommonSettings.load(given).brokers)


def test_a_file_that_may_not_be_read_is_named_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = tmp_path / "ca.pem"
    closed.write_text("x")
    monkeypatch.setattr("os.access", lambda *_: False)  # root, as which tests may run, can read anything

    assert "cannot be read by this user" in refused(CommonSettings, "kafka_ca_file", str(closed))[0]


def test_a_variable_that_nothing_reads_is_reported_with_the_nearest_that_something_does() -> None:
    environ = {
        "WAYMARK_KAFKAA": "x",
        "WAYMARK_JORNEY_RULES": "y",
        "WAYMARK_ZZZ": "z",
        "WAYMARK_URL_INGEST": "u",
        "A": "b",
    }

    assert misspelt(environ, known_variables()) == [
        "WAYMARK_JORNEY_RULES: no such setting; did you mean WAYMARK_JOURNEY_RULES?",
        "WAYMARK_KAFKAA: no such setting; did you mean WAYMARK_KAFKA?",
        "WAYMARK_ZZZ: no such setting",
    ]
