"""Secrets of others: what is sealed opens for its owner alone, under any of the master keys, and says nothing."""

import pytest

from services.runtime.credentials.sealing import CannotUnsealError, SealedSecret, SecretSealer

OLD, NEW = "old master key, thirty-two letters", "new master key, thirty-two letters"
NONCE = b"0123456789ab"


def test_what_is_sealed_opens_again_and_does_not_show() -> None:
    sealed = SecretSealer([OLD]).seal("한국어 비밀", owner="line", nonce=NONCE)

    assert SecretSealer([OLD]).open(sealed, owner="line") == "한국어 비밀"
    assert "비밀".encode() not in sealed.material
    assert sealed.master_key is not None
    assert OLD not in sealed.master_key


def test_master_keys_rotate_the_first_seals_and_every_one_opens() -> None:
    before = SecretSealer([OLD]).seal("s", owner="line", nonce=NONCE)
    both = SecretSealer([NEW, OLD])
    after = both.seal("s", owner="line", nonce=NONCE)

    assert both.open(before, owner="line") == both.open(after, owner="line") == "s"
    assert before.master_key != after.master_key
    assert SecretSealer([NEW]).open(after, owner="line") == "s"
    with pytest.raises(CannotUnsealError):
        SecretSealer([NEW]).open(before, owner="line")


def test_a_row_that_is_moved_or_changed_opens_nothing() -> None:
    seal = SecretSealer([OLD])
    sealed = seal.seal("s", owner="line", nonce=NONCE)
    changed = SealedSecret(material=sealed.material[:-1] + b"!", master_key=sealed.master_key)

    for found, owner in ((sealed, "slack"), (changed, "line")):
        with pytest.raises(CannotUnsealError):
            seal.open(found, owner=owner)


def test_without_a_master_key_it_is_kept_as_it_is_and_says_so() -> None:
    sealed = SecretSealer([]).seal("s", owner="line", nonce=NONCE)

    assert (sealed.material, sealed.master_key, SecretSealer([]).protects) == (b"s", None, False)
    assert SecretSealer([NEW]).open(sealed, owner="line") == "s"


def test_a_nonce_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="12 bytes"):
        SecretSealer([OLD]).seal("s", owner="line", nonce=b"short")
