"""The cookie of a session: what opens it, what does not, and that it shows nothing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.console.roles import PersonRole
from services.console.sessions import ConsoleSession, SessionSealer
from services.runtime.credentials.sealing import SecretSealer

NOW = datetime(2026, 11, 22, 0, 15, tzinfo=UTC)
SESSION = ConsoleSession(
    label="민지", role=PersonRole.AGENT, key="wm_agent_a_b", token="t-1", ends_at=NOW + timedelta(hours=12)
)
OLD, NEW = "o" * 32, "n" * 32


def sealer(*keys: str) -> SessionSealer:
    return SessionSealer(SecretSealer(keys))


def test_a_sealed_session_opens_again_and_shows_neither_key_nor_name() -> None:
    cookie = sealer(NEW).seal(SESSION, nonce=b"1" * 12)

    assert sealer(NEW).open(cookie, now=NOW) == SESSION
    assert "wm_agent" not in cookie
    assert cookie.isascii()
    assert "wm_agent" not in repr(SESSION)


def test_a_session_outlives_a_change_of_the_master_key_while_the_old_one_is_known() -> None:
    cookie = sealer(OLD).seal(SESSION, nonce=b"1" * 12)

    assert sealer(NEW, OLD).open(cookie, now=NOW) == SESSION
    assert sealer(NEW).open(cookie, now=NOW) is None


@pytest.mark.parametrize("late", [timedelta(hours=12), timedelta(days=30)])
def test_a_session_ends_with_its_time(late: timedelta) -> None:
    cookie = sealer(NEW).seal(SESSION, nonce=b"1" * 12)

    assert sealer(NEW).open(cookie, now=NOW + late - timedelta(seconds=1)) == SESSION or late > timedelta(hours=12)
    assert sealer(NEW).open(cookie, now=NOW + late) is None


def test_what_was_changed_or_made_up_opens_nothing() -> None:
    cookie = sealer(NEW).seal(SESSION, nonce=b"1" * 12)
    name, _, material = cookie.partition(".")
    swapped = "A" if material[-3] != "A" else "B"

    for wrong in (
        "",
        ".",
        "x",
        name,
        f"{name}.",
        f"{name}.AAAA",
        f"{name}.{material[:-3]}{swapped}{material[-2:]}",
        f"{name}.{material[:-4]}",
        f".{material}",
        f"{name}.서울",
        "x" * 5000,
        f"{cookie}{'A' * 4000}",
    ):
        assert sealer(NEW).open(wrong, now=NOW) is None, wrong


def test_a_token_is_the_sessions_own() -> None:
    assert SESSION.admits("t-1")
    assert not SESSION.admits("")
    assert not SESSION.admits("t-2")
    assert not SESSION.admits("토큰")
    assert not replace(SESSION, token="t-2").admits("t-1")


def test_without_a_master_key_nothing_is_sealed() -> None:
    with pytest.raises(ValueError, match="never written unsealed"):
        sealer()
