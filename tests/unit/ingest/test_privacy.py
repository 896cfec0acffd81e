"""What is done to personal data before it is published."""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.documents.touchpoint import SEALED_TEXT
from schemas.identifiers.pseudonyms import is_pseudonym, pseudonym
from services.ingest.privacy.policy import PrivacyPolicy, PrivacyPolicyError, PrivacyTreatment
from services.ingest.privacy.value_sealing import ValueSealer, is_sealed
from services.ingest.publish.records import key_of
from services.ingest.sources.source import Source
from services.runtime.credentials.sealing import CannotUnsealError
from services.runtime.settings import SettingsError
from tests.fixtures.clock import SteppingClock
from tests.fixtures.ingest_bench import IngestBench, a_touchpoint, bench_with

SECRET = "a-secret-for-pseudonyms-that-is-long-enough"
KEY = "a-key-for-what-is-encrypted-long-enough"
OLD_KEY = "a-key-that-was-used-before-long-enough"
PHONE = "+821012345678"


async def with_policy(clock: SteppingClock, folder: Path, policy: dict[str, Any], **settings: str) -> IngestBench:
    """Return a bench whose ingest has that policy, with a secret and a key."""
    file = folder / "privacy.yaml"
    file.write_text(json.dumps(policy), encoding="utf-8")  # YAML holds JSON
    chosen = {"privacy": str(file), "privacy_secret": SECRET, "privacy_keys": KEY, **settings}
    return await bench_with(clock, **chosen).started()


async def test_without_a_policy_everything_is_published_as_it_came(bench: IngestBench) -> None:
    await bench.post(a_touchpoint(text="안녕", agent="a-1", refs={"case_id": "T-1"}, attributes={"a": 1}))

    (found,) = bench.publisher.touchpoints
    assert (found.text, found.agent, found.refs, found.attributes) == ("안녕", "a-1", {"case_id": "T-1"}, {"a": 1})
    assert found.customer["phone"].value == PHONE


async def test_each_treatment_does_what_it_says(clock: SteppingClock, tmp_path: Path) -> None:
    bench = await with_policy(
        clock,
        tmp_path,
        {
            "default": {
                "text": "drop",
                "agent": "hmac",
                "refs": {"card_no": "drop", "case_id": "hmac"},
                "attributes": {"secret": "drop", "who.*": "hmac", "who.age": "keep", "rows.name": "drop"},
            }
        },
    )
    attributes = {
        "secret": 1,
        "plain": [1, 2],
        "who": {"name": "somebody", "age": 40, "tags": ["a"]},
        "rows": [{"name": "x", "n": 1}, {"n": 2}],
    }
    refs = {"card_no": "4111", "case_id": "T-1", "order_id": "A-1"}
    await bench.post(a_touchpoint(text="personal", agent="a-1", refs=refs, attributes=attributes))

    (found,) = bench.publisher.touchpoints
    assert found.text is None
    assert found.agent == pseudonym(SECRET.encode(), ".agent", "a-1")
    assert set(found.refs) == {"case_id", "order_id"}
    assert is_pseudonym(found.refs["case_id"])
    assert found.refs["order_id"] == "A-1"
    assert found.attributes == {
        "plain": [1, 2],
        "who": {
            "name": pseudonym(SECRET.encode(), ".attributes", "somebody"),
            "age": 40,
            "tags": pseudonym(SECRET.encode(), ".attributes", '["a"]'),
        },
        "rows": [{"n": 1}, {"n": 2}],
    }


async def test_the_rules_of_a_source_lie_over_the_default_member_by_member(
    clock: SteppingClock, tmp_path: Path
) -> None:
    bench = await with_policy(
        clock,
        tmp_path,
        {
            "default": {"text": "drop", "attributes": {"*": "drop"}},
            "sources": {"ivr": {"text": "keep", "attributes": {"ok": "keep"}}},
        },
    )
    other = bench.keys.add(Source(name="web"))
    await bench.service.sources.refresh()
    sent = a_touchpoint(text="words", attributes={"ok": 1, "not": 2})
    await bench.post(sent)
    await bench.post(sent, authorization=f"Bearer {other.text}")

    own, default = bench.publisher.touchpoints
    assert (own.text, own.attributes) == ("words", {"ok": 1})
    assert (default.text, default.attributes) == (None, {})


async def test_a_hidden_identifier_links_across_sources_and_spellings_and_keys_the_record(
    clock: SteppingClock, tmp_path: Path
) -> None:
    bench = await with_policy(clock, tmp_path, {"default": {"identifiers": {"phone": "hmac"}}})
    other = bench.keys.add(Source(name="web"))
    await bench.service.sources.refresh()
    await bench.post(a_touchpoint(customer={"phone": {"value": "010-1234-5678", "verified": True}}))
    await bench.post(a_touchpoint(customer={"phone": "+82 10 1234 5678"}), authorization=f"Bearer {other.text}")

    first, second = bench.publisher.touchpoints
    hidden = pseudonym(SECRET.encode(), "phone", PHONE)
    assert (first.customer["phone"].value, first.customer["phone"].verified) == (hidden, True)
    assert second.customer["phone"].value == hidden
    assert {record.key for record in bench.publisher.records} == {key_of("phone", hidden, b"")}


async def test_the_key_is_made_of_what_is_left_when_the_strongest_identifier_is_dropped(
    clock: SteppingClock, tmp_path: Path
) -> None:
    bench = await with_policy(clock, tmp_path, {"default": {"identifiers": {"customer_id": "drop"}}})
    both = await bench.post(a_touchpoint(customer={"customer_id": "C-1", "phone": PHONE}))
    alone = await bench.post(a_touchpoint(id="2", customer={"customer_id": "C-1"}))

    assert both.status == 202
    assert bench.publisher.records[0].key == key_of("phone", PHONE, b"")
    assert alone.outcomes == ["no_usable_identifier"]


async def test_a_repeat_is_a_duplicate_though_it_is_encrypted_anew(clock: SteppingClock, tmp_path: Path) -> None:
    bench = await with_policy(clock, tmp_path, {"default": {"text": "encrypt"}})
    outcomes = [(await bench.post(a_touchpoint(text="안녕"))).outcomes for _ in range(2)]

    assert outcomes == [["accepted"], ["duplicate"]]


async def test_dead_letters_of_a_source_may_carry_no_bytes(clock: SteppingClock, tmp_path: Path) -> None:
    bench = await with_policy(clock, tmp_path, {"sources": {"ivr": {"dead_letters": "drop"}}})
    await bench.post(a_touchpoint(channel="pigeon", text="marked"))

    (letter,) = bench.publisher.dead_letters
    assert (letter.code, letter.value_base64, letter.value) == ("invalid_field", "", b"")


# --- encryption --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [1, 100, 8192])
async def test_an_encrypted_text_opens_with_its_key_at_its_place_only(
    clock: SteppingClock, tmp_path: Path, length: int
) -> None:
    bench = await with_policy(clock, tmp_path, {"default": {"text": "encrypt", "attributes": {"a.b": "encrypt"}}})
    text = "가" * length
    await bench.post(a_touchpoint(text=text, attributes={"a": {"b": {"c": [1, None]}}}))

    (found,) = bench.publisher.touchpoints
    sealed = found.attributes[SEALED_TEXT]
    assert found.text is None
    assert is_sealed(sealed)
    assert "가" not in json.dumps(found.attributes, ensure_ascii=False)
    sealer = ValueSealer((KEY,))
    assert sealer.open(sealed, source="ivr", id_="call-1", path="text") == text
    assert sealer.open(found.attributes["a"]["b"], source="ivr", id_="call-1", path="attributes.a.b") == {
        "c": [1, None]
    }
    for wrong in ({"source": "web"}, {"id_": "call-2"}, {"path": "attributes.a.b"}):
        with pytest.raises(CannotUnsealError):
            sealer.open(sealed, **{"source": "ivr", "id_": "call-1", "path": "text", **wrong})


def test_a_rotated_key_still_opens_what_it_encrypted() -> None:
    place = {"source": "ivr", "id_": "1", "path": "text"}
    old = ValueSealer((OLD_KEY,)).seal("안녕", **place)
    rotated = ValueSealer((KEY, OLD_KEY))

    assert rotated.open(old, **place) == "안녕"
    assert ValueSealer((KEY,)).open(rotated.seal("새", **place), **place) == "새"
    with pytest.raises(CannotUnsealError):
        ValueSealer((KEY,)).open(old, **place)


def test_the_same_value_is_encrypted_differently_each_time() -> None:
    sealer = ValueSealer((KEY,))

    assert len({str(sealer.seal("x", source="a", id_="1", path="text")) for _ in range(10)}) == 10


@pytest.mark.parametrize("sealed", ["sealed:v1:", "sealed:v1:abc:%%%", "sealed:v1:abc:AAAA", ["sealed:v1:", "x"]])
def test_what_is_no_whole_sealed_value_is_refused(sealed: Any) -> None:
    with pytest.raises(CannotUnsealError):
        ValueSealer((KEY,)).open(sealed, source="a", id_="1", path="text")


# --- the file ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        ({"default": {"text": "hide"}}, "default.text: use one of 'keep', 'drop', 'hmac' or 'encrypt'"),
        ({"default": {"agent": "encrypt"}}, "default.agent: use one of"),
        ({"default": {"identifiers": {"phone": "encrypt"}}}, "default.identifiers.phone: use one of"),
        ({"default": {"refs": {"case_id": "encrypt"}}}, "default.refs.case_id: use one of"),
        ({"default": {"dead_letters": "hmac"}}, "default.dead_letters: use one of"),
        ({"default": {"identifiers": {"Phone": "drop"}}}, "'Phone' is no name"),
        ({"default": {"attributes": {"a..b": "drop"}}}, "'a..b' is no path"),
        ({"default": {"attributes": {"a": "drop", "a.b": "keep"}}}, "'a.b' lies inside"),
        (
            {"default": {"attributes": {"a": "drop"}}, "sources": {"web": {"attributes": {"a.b": "keep"}}}},
            "sources.web.attributes, over the default: 'a.b' lies inside",
        ),
        ({"default": {"texts": "drop"}}, "default.texts: Extra inputs are not permitted"),
        ({"sources": {"web": {"identifiers": {"phone": "hmac"}}}}, "identifiers are treated alike for all sources"),
        ({"defaults": {}}, "defaults: Extra inputs"),
        ([], "valid dictionary"),
    ],
)
def test_a_policy_that_makes_no_sense_says_where(file: Any, problem: str) -> None:
    with pytest.raises(PrivacyPolicyError) as raised:
        PrivacyPolicy(file)
    assert problem in str(raised.value)


def test_every_problem_of_a_policy_is_said_in_a_line_of_its_own() -> None:
    with pytest.raises(PrivacyPolicyError) as raised:
        PrivacyPolicy(
            {"default": {"agent": "encrypt", "refs": {"Case": "drop"}, "attributes": {"a.b": "keep", "a": "drop"}}}
        )

    assert raised.value.problems == [
        "default.agent: use one of 'keep', 'drop' or 'hmac'",
        "default.refs: 'Case' is no name; use lower-case letters, digits and underscores, or '*'",
        "default.attributes: 'a.b' lies inside something that is treated as a whole already",
    ]
    assert str(raised.value) == "; ".join(raised.value.problems)


def test_a_file_that_makes_no_sense_is_named_with_each_problem(tmp_path: Path) -> None:
    file = tmp_path / "privacy.yaml"
    file.write_text("default: {text: hide}")

    with pytest.raises(PrivacyPolicyError) as raised:
        PrivacyPolicy.read(str(file))

    assert raised.value.problems == [f"{file}: default.text: use one of 'keep', 'drop', 'hmac' or 'encrypt' (line 1)"]


def test_a_name_given_twice_and_a_treatment_that_there_is_not_are_reported_together(tmp_path: Path) -> None:
    file = tmp_path / "privacy.yaml"
    file.write_text("default:\n  agent: drop\n  agent: hmac\n  text: hide\n")

    with pytest.raises(PrivacyPolicyError) as raised:
        PrivacyPolicy.read(str(file))

    assert raised.value.problems == [
        f"{file}: default: agent is given twice, in line 2 and line 3",
        f"{file}: default.text: use one of 'keep', 'drop', 'hmac' or 'encrypt' (line 4)",
    ]


@pytest.mark.parametrize(
    ("text", "problem"), [("a: [", "is no YAML: expected the node content"), (None, "No such file")]
)
def test_a_file_that_cannot_be_read_says_so_when_ingest_starts(
    clock: SteppingClock, tmp_path: Path, text: str | None, problem: str
) -> None:
    file = tmp_path / "privacy.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(SettingsError) as raised:
        bench_with(clock, privacy=str(file))
    assert problem in str(raised.value)
    assert str(file) in str(raised.value)


@pytest.mark.parametrize(("treatment", "name"), [("hmac", "PRIVACY_SECRET"), ("encrypt", "PRIVACY_KEYS")])
def test_a_policy_without_its_secret_does_not_start(
    clock: SteppingClock, tmp_path: Path, treatment: str, name: str
) -> None:
    file = tmp_path / "privacy.yaml"
    file.write_text(f"default: {{text: {treatment}}}")
    with pytest.raises(SettingsError, match=f"WAYMARK_INGEST_{name}"):
        bench_with(clock, privacy=str(file))


@pytest.mark.parametrize("name", ["privacy_secret", "privacy_keys"])
def test_a_secret_that_can_be_guessed_is_refused(clock: SteppingClock, name: str) -> None:
    with pytest.raises(SettingsError, match="32 characters"):
        bench_with(clock, **{name: "short"})


def test_an_empty_policy_is_one_that_does_nothing() -> None:
    for file in (None, {}, {"default": {"text": "keep", "attributes": {"a": "keep"}}}):
        policy = PrivacyPolicy(file)
        assert policy.inert
        assert policy.treatments == {PrivacyTreatment.KEEP}
