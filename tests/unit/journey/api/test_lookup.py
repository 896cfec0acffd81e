"""What a caller writes is brought to the form in which it was published."""

from uuid import UUID

import pytest

from schemas.identifiers.pseudonyms import pseudonym
from services.journey.read.lookup import IdentifierReference, LookupFault, parse


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        pytest.param(
            "phone:+82 10-1234-5678", IdentifierReference(type="phone", values=("+821012345678",)), id="international"
        ),
        pytest.param(
            "phone:010-1234-5678", IdentifierReference(type="phone", values=("+821012345678",)), id="national"
        ),
        pytest.param(
            "email: A.B@Mail.Example ", IdentifierReference(type="email", values=("a.b@mail.example",)), id="e-mail"
        ),
        pytest.param("customer_id:C-1009", IdentifierReference(type="customer_id", values=("C-1009",)), id="as it is"),
        pytest.param(
            "social:kakao:회원-7",
            IdentifierReference(type="social", values=("kakao:회원-7",)),
            id="a colon in the value",
        ),
        pytest.param("wallet:0xAB", IdentifierReference(type="wallet", values=("0xAB",)), id="a type nobody knows"),
        pytest.param(
            "id:01890a5d-ac96-774b-bcce-b302099a8057", UUID("01890a5d-ac96-774b-bcce-b302099a8057"), id="by id"
        ),
        pytest.param(
            "01890a5d-ac96-774b-bcce-b302099a8057", UUID("01890a5d-ac96-774b-bcce-b302099a8057"), id="by the id alone"
        ),
        pytest.param("C-1009", LookupFault.MALFORMED, id="a value without its type"),
        pytest.param(
            "phone:０１０－１２３４－５６７８",
            IdentifierReference(type="phone", values=("+821012345678",)),
            id="full width",
        ),
        pytest.param("cookie:undefined", LookupFault.BLOCKED, id="a placeholder"),
        pytest.param("phone:1588-1234", LookupFault.BLOCKED, id="a company's number"),
        pytest.param("phone:", LookupFault.MALFORMED, id="no value"),
        pytest.param(":x", LookupFault.MALFORMED, id="no type"),
        pytest.param("cookie:a\x00b", LookupFault.MALFORMED, id="what PostgreSQL cannot hold"),
        pytest.param("cookie:" + "x" * 2000, LookupFault.MALFORMED, id="longer than any identifier"),
    ],
)
def test_a_reference_is_read(reference: str, expected: object) -> None:
    assert parse(reference, "KR") == expected


def test_a_number_without_country_code_belongs_to_the_region() -> None:
    assert parse("phone:020 7946 0958", "GB") == IdentifierReference(type="phone", values=("+442079460958",))


def test_with_the_secret_of_ingest_the_pseudonym_is_looked_for_before_the_value() -> None:
    found = parse("phone:010-1234-5678", "KR", b"a secret")

    assert isinstance(found, IdentifierReference)
    assert found.values == (pseudonym(b"a secret", "phone", "+821012345678"), "+821012345678")


def test_a_pseudonym_that_the_api_showed_can_be_looked_up_as_it_is() -> None:
    hidden = pseudonym(b"a secret", "email", "a@b.example")

    assert parse(f"email:{hidden}", "KR", b"a secret") == IdentifierReference(type="email", values=(hidden,))
