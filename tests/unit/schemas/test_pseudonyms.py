"""A pseudonym is the same wherever it is made, and says nothing."""

from schemas.identifiers.pseudonyms import is_pseudonym, pseudonym


def test_the_same_identifier_has_the_same_pseudonym_everywhere() -> None:
    # printf "phone\x1f+821012345678" | openssl dgst -sha256 -mac HMAC -macopt key:secret, its first 20 bytes
    assert pseudonym(b"secret", "phone", "+821012345678") == "hmac:67d976bbc41f4478357874c18c5d030ff3e61791"


def test_another_type_value_or_secret_has_another_pseudonym() -> None:
    made = {
        pseudonym(secret, type_, value)
        for secret in (b"a", b"b")
        for type_ in ("phone", "customer_id")
        for value in ("1", "2")
    }
    assert len(made) == 8


def test_a_pseudonym_is_known_by_its_form() -> None:
    made = pseudonym(b"secret", "email", "a@b.example")

    assert is_pseudonym(made)
    assert not any(is_pseudonym(text) for text in (made[:-1], made + "0", made.upper(), made[5:], "a@b.example"))
