"""What is set about Kafka has to fit together, and the files for TLS have to be what they are said to be."""

from pathlib import Path

import pytest

from services.runtime.settings import CommonSettings, SettingsError
from tests.fixtures.authority import Authority

PROTOCOL = "WAYMARK_KAFKA_SECURITY_PROTOCOL"
NAME = {
    "WAYMARK_KAFKA_SASL_MECHANISM": "SCRAM-SHA-256",
    "WAYMARK_KAFKA_SASL_USERNAME": "waymark",
    "WAYMARK_KAFKA_SASL_PASSWORD": "hidden",
}


def named(environ: dict[str, str]) -> set[str]:
    """The variables that the refusal names first."""
    with pytest.raises(SettingsError) as caught:
        CommonSettings.load(environ)
    assert "hidden" not in str(caught.value)
    return {problem.partition(":")[0] for problem in caught.value.problems}


def test_plain_text_needs_nothing() -> None:
    brokers = CommonSettings.load({}).brokers

    assert brokers.options == {
        "bootstrap_servers": "127.0.0.1:9092",
        "security_protocol": "PLAINTEXT",
        "ssl_context": None,
    }


def test_a_user_without_a_protocol_that_shows_it_is_refused() -> None:
    assert named(NAME) == NAME.keys()
    assert named({PROTOCOL: "SSL", **NAME}) == NAME.keys()


@pytest.mark.parametrize("protocol", ["SASL_SSL", "SASL_PLAINTEXT"])
def test_a_protocol_with_a_user_wants_all_of_it(protocol: str) -> None:
    assert named({PROTOCOL: protocol}) == NAME.keys()
    for variable in NAME:
        assert named({PROTOCOL: protocol, **NAME, variable: ""}) == {variable}
    brokers = CommonSettings.load({PROTOCOL: protocol, **NAME}).brokers
    assert brokers.options["sasl_plain_password"] == "hidden"
    assert "hidden" not in repr(brokers)
    assert (brokers.tls is not None) == (protocol == "SASL_SSL")


def test_files_for_tls_without_tls_are_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")

    assert named({"WAYMARK_KAFKA_CA_FILE": str(authority.file)}) == {"WAYMARK_KAFKA_CA_FILE"}
    in_clear = {PROTOCOL: "SASL_PLAINTEXT", **NAME, "WAYMARK_KAFKA_CA_FILE": str(authority.file)}
    assert named(in_clear) == {"WAYMARK_KAFKA_CA_FILE"}


def test_files_that_are_something_else_are_named(tmp_path: Path) -> None:
    authority, text = Authority(tmp_path, "authority"), tmp_path / "text"
    text.write_text("hidden")
    one, other = authority.sign("one"), authority.sign("other")
    with_tls = {PROTOCOL: "SSL", "WAYMARK_KAFKA_CA_FILE": str(authority.file)}
    cert, key = "WAYMARK_KAFKA_CERT_FILE", "WAYMARK_KAFKA_KEY_FILE"

    assert CommonSettings.load({**with_tls, cert: str(one.cert), key: str(one.key)}).brokers.tls is not None
    assert named({PROTOCOL: "SSL", "WAYMARK_KAFKA_CA_FILE": str(text)}) == {"WAYMARK_KAFKA_CA_FILE"}
    assert named({**with_tls, cert: str(one.cert), key: str(other.key)}) == {key}
    assert named({**with_tls, cert: str(text), key: str(one.key)}) == {cert}
    assert named({**with_tls, key: str(one.key)}) == {key}
    assert named({**with_tls, "WAYMARK_KAFKA_KEY_PASSWORD": "hidden"}) == {"WAYMARK_KAFKA_KEY_PASSWORD"}
