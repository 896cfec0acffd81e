"""What is wrong with a URL of PostgreSQL is said with the mend, and never with a piece of the URL."""

from pathlib import Path

import pytest

from services.runtime.addresses.postgres_url import problems
from tests.fixtures.authority import Authority

SECRET = "hid"

FINE = [
    "postgresql://waymark@127.0.0.1:5432/waymark",
    "postgres://u:p@h/db",
    "postgresql:///db",
    "postgresql://u:p%2F%23%40%3F%5B%25@db.example.com/waymark?sslmode=require&application_name=a",
    "postgresql://u:p@[::1]:5432/db",
    "postgresql://u:p@a:5432,b,c:5433/db?target_session_attrs=read-write",
    "postgresql://u@%2Fvar%2Frun%2Fpostgresql/db",
    "postgresql://host/db?user=me@corp&password=p@w",
    "postgresql://u:p@h",
    "postgresql://u:%ED%95%9C@h/db",
]


@pytest.mark.parametrize("url", FINE)
def test_a_url_that_drivers_can_read_is_taken(url: str) -> None:
    assert problems(url) == []


@pytest.mark.parametrize(("raw", "encoded"), [("/", "%2F"), ("#", "%23"), ("@", "%40"), ("?", "%3F"), ("[", "%5B")])
def test_a_reserved_character_in_the_password_is_named_with_its_encoded_form(raw: str, encoded: str) -> None:
    (problem,) = problems(f"postgresql://user:{SECRET}{raw}den@h:5432/db")

    assert f"`{raw}`" in problem
    assert encoded in problem
    assert SECRET not in problem
    assert "den@" not in problem


@pytest.mark.parametrize("password", ["12/3", "5432?x", "5432#", "a/b@c", "%zz", "100%", "q r", "q]r"])
def test_no_password_that_needs_encoding_goes_through_or_shows(password: str) -> None:
    found = problems(f"postgresql://user:{password}@h:5432/db")

    assert len(found) == 1
    assert password not in found[0]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("localhost:5432/db", "postgresql://"),
        ("mysql://u:hidden@h/db", "postgresql://"),
        ("postgresql://u:hidden@h:5432x/db", "port"),
        ("postgresql://u:hidden@h:0/db", "port"),
        ("postgresql://u:hidden@h:70000/db", "port"),
        ("postgresql://u:hidden@h_ö/db", "no host name"),
        ("postgresql://u:hidden@서버/db", "no host name"),
        ("postgresql://u:hidden@10.0.0.300/db", "no host name"),
        ("postgresql://u:hidden@a,,b/db", "host 2 is empty"),
        ("postgresql://u:hidden@h/db?sslmode=wrong", "verify-full"),
        ("postgresql://u:hidden@h/db?sslmod=require", "did you mean sslmode?"),
        ("postgresql://u:hidden@h/db?target_session_attrs=primry", "read-write"),
        ("postgresql://u:hidden@h/db?connect_timeout=soon", "no number"),
        ("postgresql://u:hidden@h/db?sslmode", "name=value"),
        ("postgresql://u:hidden@h/db?sslrootcert=/nowhere/ca.pem", "No such file"),
        ("postgresql://u:%FF%FE@h/db", "UTF-8"),
        ("postgresql://u:hidden@h/db#hidden", "%23"),
    ],
)
def test_every_other_mistake_is_named(url: str, words: str) -> None:
    found = problems(url)

    assert any(words in problem for problem in found), found
    assert not any("hidden" in problem for problem in found)


def test_what_the_machine_trusts_is_no_file(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority").file

    assert problems("postgresql://u:p@h/db?sslmode=verify-full&sslrootcert=system") == []
    assert problems(f"postgresql://u:p@h/db?sslrootcert={authority}") == []
