from datetime import UTC, datetime, timedelta

import pytest

from services.runtime.credentials.api_keys import KeyKind, KeyRing, KeyVerdict, StoredKey, judge, mint, parse

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


class HandClock:
    """A clock that moves only by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


class Vault:
    """Stored keys that can be made unreachable; counts how often it is asked."""

    def __init__(self, *keys: StoredKey) -> None:
        self.keys = {key.key_id: key for key in keys}
        self.down = False
        self.asked = 0

    async def load(self, key_id: str) -> StoredKey | None:
        self.asked += 1
        if self.down:
            raise ConnectionRefusedError
        return self.keys.get(key_id)


def stored(
    kind: KeyKind = KeyKind.SOURCE, *, revoked: bool = False, expires_at: datetime | None = None
) -> tuple[str, StoredKey]:
    key = mint(kind)
    return key.text, StoredKey(
        kind=kind, key_id=key.key_id, subject="web", secret_hash=key.secret_hash, revoked=revoked, expires_at=expires_at
    )


def ring(vault: Vault, clock: HandClock) -> KeyRing:
    return KeyRing(vault.load, clock, outages=(OSError,), fresh_s=10, stale_s=3600)


def test_a_minted_key_hides_its_secret_from_repr() -> None:
    key = mint(KeyKind.READER)
    assert key.text not in repr(key)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("wm_src_abc", id="no secret"),
        pytest.param("wm_king_abc_def", id="unknown kind"),
        pytest.param("xx_src_abc_def", id="another product's"),
        pytest.param("wm_src_열쇠_def", id="not ascii"),
        pytest.param("wm_src_abc_" + "d" * 300, id="endless"),
    ],
)
def test_what_does_not_look_like_a_key_is_malformed(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize(
    ("has", "wants", "expected"),
    [
        (KeyKind.ADMIN, KeyKind.READER, True),
        (KeyKind.AGENT, KeyKind.READER, True),
        (KeyKind.READER, KeyKind.AGENT, False),
        (KeyKind.ADMIN, KeyKind.SOURCE, False),
        (KeyKind.SOURCE, KeyKind.READER, False),
    ],
)
def test_roles_include_the_lesser_ones_and_nothing_else(has: KeyKind, wants: KeyKind, expected: bool) -> None:
    assert has.includes(wants) is expected


def test_judging_tells_why_a_key_is_refused() -> None:
    text, key = stored()
    presented = parse(text)
    assert presented is not None
    _, revoked = stored(revoked=True)
    assert judge(presented, key, NOW) is KeyVerdict.VALID
    assert judge(presented, None, NOW) is KeyVerdict.UNKNOWN
    assert judge(presented, revoked, NOW) is KeyVerdict.UNKNOWN


async def test_a_revocation_is_noticed_once_the_cache_is_no_longer_fresh() -> None:
    text, key = stored()
    vault, clock = Vault(key), HandClock()
    keys = ring(vault, clock)
    assert (await keys.check(text))[0] is KeyVerdict.VALID
    vault.keys[key.key_id] = StoredKey(
        kind=key.kind, key_id=key.key_id, subject="web", secret_hash=key.secret_hash, revoked=True
    )
    clock.seconds = 9
    assert (await keys.check(text))[0] is KeyVerdict.VALID
    clock.seconds = 11
    assert (await keys.check(text))[0] is KeyVerdict.REVOKED


async def test_a_known_key_survives_an_outage_and_an_unknown_one_is_not_judged() -> None:
    text, key = stored()
    other, _ = stored()
    vault, clock = Vault(key), HandClock()
    keys = ring(vault, clock)
    await keys.check(text)
    vault.down = True
    clock.seconds = 1800
    assert (await keys.check(text))[0] is KeyVerdict.VALID
    assert (await keys.check(other))[0] is KeyVerdict.UNVERIFIABLE
    clock.seconds = 7300
    assert (await keys.check(text))[0] is KeyVerdict.UNVERIFIABLE


async def test_a_wrong_key_does_not_load_the_database_twice() -> None:
    other, _ = stored()
    vault = Vault()
    keys = ring(vault, HandClock())
    for _ in range(5):
        assert (await keys.check(other))[0] is KeyVerdict.UNKNOWN
    assert vault.asked == 1


async def test_an_expired_key_is_refused() -> None:
    text, key = stored(expires_at=NOW + timedelta(seconds=5))
    clock = HandClock()
    keys = ring(Vault(key), clock)
    assert (await keys.check(text))[0] is KeyVerdict.VALID
    clock.seconds = 6
    assert (await keys.check(text))[0] is KeyVerdict.EXPIRED
