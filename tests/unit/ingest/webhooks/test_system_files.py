"""A company's own file: everything that is wrong in it is told, each with its line, and a good one joins the others."""

from pathlib import Path

import pytest
import yaml

from services.ingest.forms.webhooks.mapping import system_files
from services.ingest.forms.webhooks.mapping.system_files import SystemFilesError

GOOD = """\
name: acme_crm
title: {en: Acme CRM, ko: 에이크미 CRM}
signature: {scheme: hmac, header: X-Acme-Signature, encoding: hex}
touchpoints:
  - when: {type: call}
    fields:
      id: "{id}"
      occurred_at: {path: at, time: "%Y-%m-%d %H:%M", zone: Asia/Seoul}
      channel: phone
      kind: call_ended
      customer: {customer_id: "{who}"}
      wait_s: {path: wait, times: 60}
"""


def problems(text: str, stem: str = "acme_crm") -> list[str]:
    with pytest.raises(SystemFilesError) as caught:
        system_files.parse(text, "acme_crm.yaml", stem)
    return [str(problem) for problem in caught.value.problems]


def test_a_company_s_own_file_joins_those_that_are_shipped(tmp_path: Path) -> None:
    (tmp_path / "acme_crm.yaml").write_text(GOOD, encoding="utf-8")

    assert set(system_files.load(tmp_path)) == {*system_files.shipped(), "acme_crm"}


def test_a_company_s_file_of_the_same_name_takes_the_place_of_ours(tmp_path: Path) -> None:
    (tmp_path / "line.yaml").write_text(GOOD.replace("acme_crm", "line"), encoding="utf-8")

    assert system_files.load(tmp_path)["line"].system.title.en == "Acme CRM"
    assert system_files.shipped()["line"].system.title.en != "Acme CRM"


def test_a_folder_that_is_not_there_is_reported() -> None:
    with pytest.raises(SystemFilesError, match="there is no such folder"):
        system_files.load(Path("/nowhere/at/all"))


WAIT = "{path: wait, times: 60}"
HMAC = "scheme: hmac, header: X-Acme-Signature, encoding: hex"


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (("name: acme_crm", "name: other"), ":1: name: say 'acme_crm'"),
        (("channel: phone", "channel: fax"), ":9: …channel: use one of web"),
        (("wait_s:", "wait:"), ":12: …wait: a touchpoint has no `wait`; did you mean `wait_s`"),
        (('      id: "{id}"\n', ""), ":6: …fields: `id` is missing"),
        (("times: 60", "time: never"), ":12: …wait_s: `time` is iso, s, ms, rfc2822"),
        (("zone: Asia/Seoul", "zone: Seoul"), ":8: …occurred_at: there is no time zone"),
        (('"{who}"', '"{who"'), ":11: …customer.customer_id: a brace"),
        (('"{who}"', '"{who..x}"'), ":11: …customer.customer_id: `who..x` is no path"),
        (('"{who}"', '"{@cookie.x}"'), ":11: …customer.customer_id: `@cookie.x`: after @"),
        (('{customer_id: "{who}"}', "C-1"), ":6: …fields: `customer` wants its members"),
        ((WAIT, "{path: wait, tims: 60}"), ":12: …wait_s: Object contains"),
        ((WAIT, "{minutes: 60}"), ":12: …wait_s: say `path` or"),
        ((WAIT, "[1, 2]"), ":12: …wait_s: say `path` or"),
        ((WAIT, '{path: wait, pattern: "("}'), ":12: …wait_s: `pattern` is no"),
        ((WAIT, '{path: wait, pattern: "x"}'), ":12: …wait_s: `pattern` wants one group"),
        (("{type: call}", "{'@query': call}"), ":5: …when: `@query`: @query wants a name"),
        (("{type: call}", "{who: {not_in: '@opt'}}"), ":5: …when: `@opt`: after @"),
        (("{type: call}", "{type: {}}"), ":5: …when: a condition that says nothing"),
        (("encoding: hex}", 'encoding: hex, signed: "{bodi}"}'), ":3: signature.signed: `signed` is made of"),
        (("encoding: hex}", 'encoding: hex, signed: "{timestamp}{body}"}'), ":3: signature: `{timestamp}` in"),
        (("encoding: hex}", "encodin: hex}"), ":3: signature: there is no `encodin` here; did you mean"),
        ((HMAC, "scheme: token, carriers: [{}]"), "signature.carriers[0]: say either"),
        ((HMAC, "scheme: token, carriers: []"), "signature.carriers: say where"),
        (("scheme: hmac", "scheme: magic"), ":3: signature.scheme: Invalid value 'magic'"),
        (("touchpoints:", "addresses: [here]\ntouchpoints:"), ":4: addresses[0]: no network"),
        (("touchpoints:", "methods: [PUT]\ntouchpoints:"), ":4: methods: only POST"),
        (("touchpoints:", "made: [token]\ntouchpoints:"), ":4: made[0]: say it among the `options`"),
        (("touchpoints:", 'answer: {body: "{"}\ntouchpoints:'), ":4: answer.body: a brace"),
        (("touchpoints:", 'handshakes: [{when: {"": x}, answer: {}}]\ntouchpoints:'), "[0].when: an empty path"),
        (("title: {en", "title: {en: [}"), ":2: this is no YAML"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_reported_with_its_line(change: tuple[str, str], wanted: str) -> None:
    assert change[0] in GOOD
    told = problems(GOOD.replace(*change))
    shown = [line.replace("touchpoints[0].fields.", "…").replace("touchpoints[0].", "…") for line in told]

    assert any(wanted in line for line in shown), shown


def test_all_problems_are_reported_at_once() -> None:
    text = GOOD.replace("channel: phone", "channel: fax").replace("wait_s:", "wait:").replace('"{who}"', '"{who"')

    assert len(problems(text)) == 3


def test_an_empty_file_is_reported() -> None:
    assert problems("") == ["acme_crm.yaml:1: Expected `object`, got `null`"]


def test_a_file_without_touchpoints_is_reported() -> None:
    head = GOOD.partition("touchpoints:")[0]

    assert problems(head + "touchpoints: []\n") == [
        "acme_crm.yaml:4: touchpoints: say at least one touchpoint that an event becomes"
    ]


@pytest.mark.parametrize("name", sorted(system_files.shipped()))
def test_every_shipped_system_is_named_in_both_languages_and_says_where_it_is_documented(name: str) -> None:
    system = system_files.shipped()[name].system

    assert system.title.en
    assert any("가" <= character <= "힣" for character in system.title.ko)
    assert system.documentation.startswith("https://") or name == "static_token"
    assert yaml.safe_load((system_files.SHIPPED / f"{name}.yaml").read_text(encoding="utf-8"))["name"] == name


@pytest.mark.parametrize("name", sorted(system_files.shipped()))
@pytest.mark.parametrize("question", ["Customer:", "Repeats:", "Added by the delivery:", "Order:"])
def test_every_shipped_file_says_at_its_head_who_the_customer_is_and_what_comes_again(name: str, question: str) -> None:
    head = (system_files.SHIPPED / f"{name}.yaml").read_text(encoding="utf-8").partition("\nname:")[0]

    assert question in head
