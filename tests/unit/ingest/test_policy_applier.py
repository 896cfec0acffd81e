"""What one accepted touchpoint looks like after its treatment, whatever shape its members come in."""

import json
from typing import Any

import pytest

from schemas import validation
from schemas.documents import touchpoint
from schemas.documents.touchpoint import SEALED_TEXT, IdentifierValue, TouchpointDocument
from schemas.identifiers.pseudonyms import pseudonym
from schemas.identifiers.spelling import DropReason
from schemas.vocabulary import Channel
from services.ingest.privacy.policy import PrivacyPolicy
from services.ingest.privacy.policy_applier import PolicyApplier
from services.ingest.privacy.value_sealing import ValueSealer, is_sealed
from services.ingest.reasons import TouchpointRejection
from services.ingest.results.item_result import DroppedIdentifier, ItemResult, reject
from services.ingest.touchpoint.acceptance import AcceptedTouchpoint
from tests.fixtures.ingest_bench import NOW

SECRET = b"a-secret-for-pseudonyms-that-is-long-enough"
SEALER = ValueSealer(("a-key-for-what-is-encrypted-long-enough",))
LEFT_OUT = (DroppedIdentifier(type="email", reason=DropReason.INVALID),)


def a_touchpoint(**members: Any) -> TouchpointDocument:
    given: dict[str, Any] = {
        "id": "1",
        "occurred_at": NOW,
        "channel": Channel.PHONE,
        "kind": "call_ended",
        "customer": {"phone": IdentifierValue(value="+821000008841", verified=True)},
        "source": "crm",
        "received_at": NOW,
    }
    return TouchpointDocument(**given | members)


def treat(found: TouchpointDocument, **default: Any) -> AcceptedTouchpoint | ItemResult:
    accepted = AcceptedTouchpoint(touchpoint=found, key=("phone", "+821000008841"), dropped=LEFT_OUT)
    return PolicyApplier(SECRET, SEALER).treat(accepted, PrivacyPolicy({"default": default}).of("crm"))


def published(found: TouchpointDocument, **default: Any) -> TouchpointDocument:
    treated = treat(found, **default)
    assert isinstance(treated, AcceptedTouchpoint)
    assert treated.dropped == LEFT_OUT
    document = touchpoint.encode(treated.touchpoint)
    assert validation.errors("touchpoint.v1#published", json.loads(document)) == []
    return treated.touchpoint


def attributes(given: dict[str, Any], **policy: str) -> dict[str, Any]:
    return published(
        a_touchpoint(attributes=given), attributes={k.replace("__", "."): v for k, v in policy.items()}
    ).attributes


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"data": {"buyer": {"name": "personal"}}}, id="nested as the path says"),
        pytest.param({"data.buyer.name": "personal"}, id="one flat name"),
        pytest.param({"data": {"buyer.name": "personal"}}, id="flat inside"),
        pytest.param({"data.buyer": {"name": "personal"}}, id="flat outside"),
        pytest.param({"data": [{"buyer": [{"name": "personal"}]}]}, id="in lists"),
        pytest.param({"data": [[{"buyer": {"name": "personal"}}], 1]}, id="in lists of lists and numbers"),
    ],
)
def test_a_path_holds_however_its_names_are_put_together(given: dict[str, Any]) -> None:
    assert "personal" not in str(attributes(given, data__buyer__name="drop"))
    assert "personal" not in str(attributes(given, **{"*.*.name": "drop"}))
    assert "personal" not in str(attributes(given, data__buyer="hmac"))
    assert "personal" in str(attributes(given, data="keep"))
    assert "personal" in str(attributes(given, data__buyer__number="drop"))


@pytest.mark.parametrize("given", ["personal", ["personal"], [["personal"]], {"name": "personal"}, {"a.b": "personal"}])
def test_what_holds_of_everything_inside_holds_where_nothing_has_a_name(given: Any) -> None:
    assert "personal" not in str(attributes({"who": given}, **{"who.*": "drop"}))
    assert "personal" not in str(attributes({"who": given}, **{"who.*": "hmac"}))
    assert "personal" in str(attributes({"who": given}, who__number="drop"))


def test_what_holds_of_everything_inside_leaves_the_objects_of_a_list_their_names() -> None:
    treated = attributes({"who": [{"name": "personal"}, {"name": "personal"}]}, **{"who.*": "hmac"})["who"]

    assert [list(one) for one in treated] == [["name"], ["name"]]
    assert "personal" not in str(treated)


def test_a_dotted_name_that_no_path_names_is_any_other_name() -> None:
    given = {"a.b": 1, "a.c": 2, "d.e": 3, "f": 4}

    assert attributes(given, **{"*": "drop", "a.b": "keep"}) == {"a.b": 1}
    assert attributes(given, a__b="drop") == {"a.c": 2, "d.e": 3, "f": 4}


def test_equal_objects_have_one_pseudonym_in_whatever_order_their_names_stand() -> None:
    assert attributes({"a": {"x": 1, "y": 2}}, a="hmac") == attributes({"a": {"y": 2, "x": 1}}, a="hmac")


def test_what_a_pseudonym_is_of_is_part_of_it() -> None:
    """So an agent and a case with one number do not look like one another."""
    found = published(a_touchpoint(text="7", agent="7", refs={"case_id": "7", "order_id": "7"}), **hidden())

    assert found.text == pseudonym(SECRET, ".text", "7")
    assert found.agent == pseudonym(SECRET, ".agent", "7")
    assert found.refs == {
        "case_id": pseudonym(SECRET, ".refs.case_id", "7"),
        "order_id": pseudonym(SECRET, ".refs.order_id", "7"),
    }
    assert found.customer["phone"] == IdentifierValue(value=pseudonym(SECRET, "phone", "+821000008841"), verified=True)


def hidden() -> dict[str, Any]:
    return {"text": "hmac", "agent": "hmac", "refs": {"*": "hmac"}, "identifiers": {"*": "hmac"}}


def test_without_a_usable_identifier_nothing_is_published_and_what_was_left_out_is_said() -> None:
    assert treat(a_touchpoint(), identifiers={"phone": "drop"}) == reject(
        TouchpointRejection.NO_USABLE_IDENTIFIER, id_="1", field="customer", dropped=LEFT_OUT
    )


@pytest.mark.parametrize("text", ["a", "", "가" * 8192])
def test_the_shortest_and_the_longest_text_can_be_encrypted_and_opened(text: str) -> None:
    found = published(a_touchpoint(text=text, attributes={"n": 1}), text="encrypt")

    sealed = found.attributes[SEALED_TEXT]
    assert (found.text, found.attributes["n"]) == (None, 1)
    assert SEALER.open(sealed, source="crm", id_="1", path="text") == text


@pytest.mark.parametrize(("others", "kept"), [(99, True), (100, False)])
def test_an_encrypted_text_for_which_there_is_no_room_is_left_out_not_kept_in_clear(others: int, kept: bool) -> None:
    given = {f"n{n}": n for n in range(others)}

    found = published(a_touchpoint(text="personal", attributes=given), text="encrypt")

    assert (found.text, SEALED_TEXT in found.attributes, len(found.attributes)) == (None, kept, 100)


def test_no_text_is_no_encrypted_text() -> None:
    assert published(a_touchpoint(), text="encrypt").attributes == {}


def test_what_is_encrypted_in_a_list_opens_at_its_place_alone() -> None:
    found = published(a_touchpoint(attributes={"rows": [{"n": "a"}, {"n": "b"}]}), attributes={"rows.n": "encrypt"})

    first, second = (row["n"] for row in found.attributes["rows"])
    assert is_sealed(first)
    assert SEALER.open(first, source="crm", id_="1", path="attributes.rows[0].n") == "a"
    assert SEALER.open(second, source="crm", id_="1", path="attributes.rows[1].n") == "b"


@pytest.mark.parametrize("given", ["plain", ["a", "b"], [["a"], {"n": "b"}]])
def test_what_has_no_names_is_encrypted_whole_and_opens(given: Any) -> None:
    found = published(a_touchpoint(attributes={"who": given}), attributes={"who.*": "encrypt"})

    assert is_sealed(found.attributes["who"])
    assert SEALER.open(found.attributes["who"], source="crm", id_="1", path="attributes.who") == given


def test_a_value_that_just_fits_is_one_text_and_the_next_longer_one_a_list() -> None:
    """A contract's text has 4,096 characters; what is sealed grows by three characters for two."""
    sealed = [SEALER.seal("a" * n, source="crm", id_="1", path="text") for n in range(3000, 3060)]

    whole = [text for text in sealed if isinstance(text, str)]
    parts = [text for text in sealed if isinstance(text, list)]
    assert max(map(len, whole)) <= 4096
    assert all([len(part) for part in text][:-1] == [4096] and text[-1] for text in parts)
    assert len("".join(parts[0])) > 4096
    for n, text in zip(range(3000, 3060), sealed, strict=True):
        assert SEALER.open(text, source="crm", id_="1", path="text") == "a" * n


@pytest.mark.parametrize("value", [None, 1, [], {}, [1], "plain"])
def test_what_is_not_sealed_is_not_taken_for_it(value: Any) -> None:
    assert not is_sealed(value)
