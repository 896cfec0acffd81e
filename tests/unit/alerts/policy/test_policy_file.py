"""The policy's file: each mistake with its line and the nearest word; lasting ids; what Alertmanager's becomes."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import yaml

from services.alerts.policy.alert_policy import AlertPolicy
from services.alerts.policy.file.alertmanager_file import import_alertmanager
from services.alerts.policy.file.policy_compiler import KnownPeople, compile_policy, warnings_of
from services.alerts.policy.file.policy_file import PolicyFileError, read_policy_file
from services.alerts.policy.service_levels import DEFAULT_LEVELS, ServicePromise
from services.alerts.policy.tree import Route, all_routes

GOOD = """\
route:
  repeat_interval: [1h, 4h, 24h]
  routes:
    - name: premium
      matchers: ['service_level="premium"', 'severity=~"high|critical"']
      teams: [premium care]
      continue: true
      active_time_intervals: [business]
      routes:
        - matchers: [channel=phone]
          endpoints: [phone desk]
    - name: grouped
      group_by: [reason]
      group_wait: 30s
      endpoints: [desk]
inhibit_rules:
  - source_matchers: [severity=critical]
    target_matchers: [severity!=critical]
    equal: [reason]
time_intervals:
  - name: business
    time_intervals:
      - weekdays: [monday:friday]
        times: [{start_time: "09:00", end_time: "18:00"}]
        location: Asia/Seoul
        except_holidays: KR
"""


def policy(text: str = GOOD) -> AlertPolicy:
    return compile_policy(read_policy_file(text).body)[0]


def routes(text: str = GOOD) -> dict[str, Route]:
    return {route.name: route for route in all_routes(policy(text).routes)}


def test_a_good_file_is_a_policy() -> None:
    found = policy()

    assert [route.name for route in all_routes(found.routes)] == ["premium", 'channel="phone"', "grouped"]
    assert found.root_options.repeat_interval == (timedelta(hours=1), timedelta(hours=4), timedelta(hours=24))
    assert found.inhibit_rules[0].equal == ("reason",)
    assert found.is_open(found.routes[0].options, datetime(2026, 11, 23, 3, tzinfo=UTC))
    assert not found.is_open(found.routes[0].options, datetime(2026, 11, 22, 3, tzinfo=UTC))
    assert list(warnings_of(found, datetime(2026, 11, 22, tzinfo=UTC))) == []


MISTAKES = [
    ("repeat_interval: [1h,", "repeat_intervall: [1h,", 2, "route.repeat_intervall", "did you mean 'repeat_interval'"),
    ("teams: [premium care]", "team: [premium care]", 6, "route.routes[0].team", "did you mean 'teams'"),
    ("continue: true", "continue: perhaps", 7, "route.routes[0].continue", "boolean"),
    ("severity=~", "sevrity=~", 5, "route.routes[0].matchers[1]", "did you mean 'severity'"),
    ("[channel=phone]", "['channel=phone\"']", 10, "route.routes[0].routes[0].matchers", "quotation mark"),
    ("[business]", "[busines]", 8, "route.routes[0].active_time_intervals", "did you mean 'business'"),
    ("group_by: [reason]", "group_by: [raeson]", 13, "route.routes[1].group_by", "did you mean 'reason'"),
    ("group_wait: 30s", "group_wait: 30", 14, "route.routes[1].group_wait", "30s, 5m"),
    ("name: grouped", "name: premium", 12, "route.routes[1].name", "given twice"),
    ("equal: [reason]", "equal: [resaon]", 19, "inhibit_rules[0].equal", "did you mean 'reason'"),
    ("Asia/Seoul", "Asia/Soul", 25, "time_intervals[0].time_intervals[0].location", "time zone"),
    ("holidays: KR", "holidays: XK9", 26, "time_intervals[0].time_intervals[0].except_holidays", "country"),
    ("start_time:", "start:", 24, "time_intervals[0].time_intervals[0].times[0].start", "did you mean 'start_time'"),
    ("route:\n", "route:\n  routes: []\n", 4, "", "routes is given twice"),
    ("route:\n", "route: [\n", 2, "", "expected"),
]


@pytest.mark.parametrize(("right", "wrong", "line", "place", "message"), MISTAKES)
def test_a_mistake_is_named_with_its_line_and_the_nearest_word(
    right: str, wrong: str, line: int, place: str, message: str
) -> None:
    assert GOOD.count(right) == 1
    with pytest.raises(PolicyFileError) as refused:
        read_policy_file(GOOD.replace(right, wrong))

    problem = next(p for p in refused.value.problems if message in p.message)
    assert problem.place.startswith(place)
    if not message.startswith(("routes is", "expected")):
        assert problem.line == line
    assert problem.within("alerts.yaml").startswith(f"alerts.yaml:{problem.line}: ")


ESCALATING = """
route: {escalation: leaders, routes: [{name: desk, escalation: ""}]}
escalations:
  - name: leaders
    repeat: 2
    active_time_interval: business
    steps: [{after: 15m, teams: [leads]}, {after: 1h, endpoints: [head]}]
time_intervals:
  - {name: business, time_intervals: [{weekdays: [monday:friday]}]}
"""


def test_an_escalation_has_steps_rounds_and_hours() -> None:
    found = policy(ESCALATING)
    escalation = found.escalation(found.root_options)

    assert escalation is not None
    assert ([step.after for step in escalation.steps], escalation.repeat) == (
        [timedelta(minutes=15), timedelta(hours=1)],
        2,
    )
    assert escalation.hours == found.hours[0]
    assert found.escalation(found.routes[0].options.inherit(found.root_options)) is None


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("escalation: leaders", "escalation: leader", "did you mean 'leaders'"),
        ("interval: business", "interval: busines", "did you mean 'business'"),
        ("teams: [leads]", "team: [leads]", "did you mean 'teams'"),
        (", teams: [leads]", "", "a step names teams or endpoints"),
    ],
)
def test_a_wrong_escalation_is_refused(right: str, wrong: str, message: str) -> None:
    with pytest.raises(PolicyFileError) as refused:
        read_policy_file(ESCALATING.replace(right, wrong))

    assert any(message in problem.message for problem in refused.value.problems)


def test_an_empty_file_is_a_policy_that_leaves_all_to_the_catch_all_endpoints() -> None:
    assert policy("") == AlertPolicy(root=policy("").root)


def test_ids_stay_while_names_stay() -> None:
    before = {route.name: route.id for route in all_routes(policy().routes)}
    after = routes(GOOD.replace("group_wait: 30s", "group_wait: 60s").replace("severity=~", "severity!~"))

    assert {name: route.id for name, route in after.items()} == before
    assert len(set(before.values())) == 3


def test_people_who_do_not_exist_are_named_with_the_nearest() -> None:
    known = KnownPeople(
        endpoints={"desk": UUID(int=1), "phone desks": UUID(int=2)}, teams={"premium care": UUID(int=3)}
    )

    compiled, unknown = compile_policy(read_policy_file(GOOD).body, known)

    assert compiled.routes[0].teams == (UUID(int=3),)
    assert unknown == [
        (
            ("route", "routes", 0, "routes", 0, "endpoints", 0),
            "there is no endpoint 'phone desk'; did you mean 'phone desks'?",
        )
    ]


def test_hours_that_never_open_and_groups_that_flood_are_warned_of() -> None:
    text = GOOD.replace("location: Asia/Seoul", 'location: Asia/Seoul\n        years: ["2020"]').replace(
        "group_wait: 30s", "group_interval: 1s"
    )

    warned = list(warnings_of(policy(text), datetime(2026, 11, 22, tzinfo=UTC)))

    assert [sentence.partition(":")[0] for sentence in warned] == ["route 'premium'", "route 'grouped'"]


# The example of Alertmanager's documentation (doc/examples/simple.yml), shortened.
ALERTMANAGER = """\
global: {smtp_smarthost: 'localhost:25'}
route:
  group_by: ['alertname', 'cluster']
  group_wait: 30s
  receiver: team-X-mails
  routes:
  - matchers: [service=~"foo1|foo2|baz"]
    receiver: team-X-mails
    routes:
    - matchers: [severity="critical"]
      receiver: team-X-pager
  - match: {owner: team-X}
    continue: true
    mute_time_intervals: [offhours]
inhibit_rules:
- source_matchers: [severity="critical"]
  target_matchers: [severity="warning"]
  equal: ['alertname', 'cluster']
mute_time_intervals:
- name: offhours
  time_intervals: [{weekdays: ['saturday', 'sunday']}]
receivers: [{name: team-X-mails}, {name: team-X-pager}]
"""


def test_an_alertmanager_file_becomes_a_policy_and_says_what_to_look_at() -> None:
    rename = {"alertname": "rule", "cluster": "ref_cluster", "service": "reason", "owner": "ref_owner"}

    imported = import_alertmanager(ALERTMANAGER, rename)

    assert [note.partition(":")[0] for note in imported.notes] == ["global", "receivers"]
    [root] = imported.document["route"]["routes"]
    assert root["group_by"] == ["rule", "ref_cluster"]
    assert (root["group_interval"], root["repeat_interval"], root["endpoints"]) == ("5m", "4h", ["team-X-mails"])
    assert root["routes"][1]["matchers"] == ['ref_owner="team-X"']
    again = compile_policy(read_policy_file(yaml.safe_dump(imported.document)).body)[0]
    assert [hours.name for hours in again.hours] == ["offhours"]
    assert len(list(all_routes(again.routes))) == 4


def test_labels_that_no_issue_has_are_named() -> None:
    notes = import_alertmanager(ALERTMANAGER).notes

    assert [note for note in notes if "'owner'" in note] == ["no issue has a label 'owner'; rename it: --label owner=…"]


@pytest.mark.parametrize(
    "text", ["route: 1", "a: b", "[", "route: {receiver: x, routes: [1]}", "route: {receiver: x, matchers: ['a']}"]
)
def test_what_is_no_configuration_is_refused(text: str) -> None:
    with pytest.raises(PolicyFileError):
        import_alertmanager(text)


PROMISING = """
service_levels:
  otherwise: enhanced
  value_at_stake: {KRW: 300000}
  premium: {respond: 5m, resolve: 2h}
  basic: {resolve: 3d, active_time_interval: business}
time_intervals:
  - {name: business, time_intervals: [{weekdays: [monday:friday]}]}
"""


def test_a_level_that_is_left_out_keeps_its_promises_and_what_a_level_leaves_out_is_not_promised() -> None:
    levels = policy(PROMISING).levels

    assert levels.promises["premium"] == ServicePromise(respond=timedelta(minutes=5), resolve=timedelta(hours=2))
    assert levels.promises["basic"] == ServicePromise(resolve=timedelta(days=3), hours=policy(PROMISING).hours[0])
    assert levels.promises["enhanced"] == DEFAULT_LEVELS.promises["enhanced"]
    assert (levels.otherwise, levels.much["KRW"], levels.much["EUR"]) == ("enhanced", 300000, 700)
    assert policy().levels == DEFAULT_LEVELS


@pytest.mark.parametrize(
    ("right", "wrong", "line", "message"),
    [
        ("premium:", "premum:", 5, "did you mean 'premium'"),
        ("respond: 5m", "respond: 5", 5, "30s, 5m"),
        ("respond: 5m", "respond: 0", 5, "leave out what is not promised"),
        ("respond: 5m", "respond: 3h", 5, "later than resolve"),
        ("respond: 5m", "answer: 5m", 5, "respond"),
        ("interval: business", "interval: busines", 6, "did you mean 'business'"),
        ("otherwise: enhanced", "otherwise: enhancd", 3, "is no service level; did you mean 'enhanced'"),
        ("KRW: 300000", "won: 300000", 4, "pattern"),
        ("KRW: 300000", "KRW: 0", 4, "greater than 0"),
    ],
)
def test_a_mistake_in_a_promise_is_named_with_its_line(right: str, wrong: str, line: int, message: str) -> None:
    assert PROMISING.count(right) == 1
    with pytest.raises(PolicyFileError) as refused:
        read_policy_file(PROMISING.replace(right, wrong))

    assert any(message in problem.message and problem.line == line for problem in refused.value.problems)


OWNING = """
owners:
  - {rules: ["payment_*"], teams: [payments], owner: lee}
  - {rules: [checkout_abandoned], matchers: ['channel="web"'], teams: [web]}
"""


def test_owners_are_teams_that_exist_and_a_person() -> None:
    payments, web = policy(OWNING).ownerships
    known = KnownPeople(endpoints={}, teams={"payments": payments.teams[0]})
    _, unknown = compile_policy(read_policy_file(OWNING).body, known)

    assert (payments.rules, payments.owner, web.owner) == (("payment_*",), "lee", None)
    assert [str(matcher) for matcher in web.matchers] == ['channel="web"']
    assert [place for place, _ in unknown] == [("owners", 1, "teams", 0)]
    assert "did you mean" not in unknown[0][1]
    assert policy().ownerships == ()


@pytest.mark.parametrize(
    ("right", "wrong", "line", "message"),
    [
        ("owner: lee}", "ownr: lee}", 3, "did you mean 'owner'"),
        ("teams: [payments], owner: lee", "teams: []", 3, "it names teams or an owner"),
        ("rules: [checkout_abandoned]", "rules: []", 4, "at least 1"),
        ('channel="web"', 'chanel="web"', 4, "did you mean 'channel'"),
    ],
)
def test_a_mistake_in_an_owner_is_named_with_its_line(right: str, wrong: str, line: int, message: str) -> None:
    assert OWNING.count(right) == 1
    with pytest.raises(PolicyFileError) as refused:
        read_policy_file(OWNING.replace(right, wrong))

    assert any(message in problem.message and problem.line == line for problem in refused.value.problems)
