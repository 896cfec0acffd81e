"""What an administrator gives for an endpoint: every mistake at once, with its place."""

import pytest

from services.alerts.admin.endpoint_form import EndpointFormError, GivenEndpoint, check_change, check_new
from services.alerts.deliver.http.target_guard import ForbiddenTargetError, TargetGuard, TargetPolicy, TargetRefusal

GUARD = TargetGuard(TargetPolicy())
HOOK = "https://hooks.slack.com/services/T000/B000/XXXXXXXX"


def mistakes(kind: str, given: GivenEndpoint) -> dict[str, str]:
    with pytest.raises(EndpointFormError) as refused:
        check_new(kind, given, GUARD)
    return {one.path: one.code for one in refused.value.mistakes}


def test_a_secret_address_is_sealed_and_only_its_host_is_shown() -> None:
    checked = check_new("slack_webhook", GivenEndpoint(url=HOOK), GUARD)

    assert checked.url == "https://hooks.slack.com/…"
    assert checked.credentials == {"url": HOOK}
    assert HOOK not in repr(checked)


def test_a_vendors_own_address_may_be_left_out() -> None:
    checked = check_new("pagerduty", GivenEndpoint(credentials={"routing_key": "r" * 32}), GUARD)

    assert checked.url == "https://events.pagerduty.com/v2/enqueue"


def test_an_unknown_kind_is_answered_with_those_there_are() -> None:
    with pytest.raises(EndpointFormError) as refused:
        check_new("slak", GivenEndpoint(url=HOOK), GUARD)

    [mistake] = refused.value.mistakes
    assert refused.value.code == "kind_unknown"
    assert "slack_webhook, slack_bot, teams_workflow" in mistake.message


@pytest.mark.parametrize(
    ("kind", "given", "found"),
    [
        ("standard_webhook", GivenEndpoint(), {"url": "missing"}),
        ("standard_webhook", GivenEndpoint(url="https://10.0.0.1/"), {"url": "private"}),
        ("standard_webhook", GivenEndpoint(url="smtp://mail.example.com"), {"url": "scheme"}),
        ("slack_bot", GivenEndpoint(), {"options": "option_wrong", "credentials.bot_token": "missing"}),
        ("pagerduty", GivenEndpoint(), {"credentials.routing_key": "missing"}),
        (
            "pagerduty",
            GivenEndpoint(credentials={"routing_key": "a\nb", "token": "x"}),
            {"credentials.token": "credential_unknown", "credentials.routing_key": "credential_wrong"},
        ),
        ("jandi", GivenEndpoint(url=HOOK, options={"language": "fr"}), {"options.language": "option_wrong"}),
        ("jandi", GivenEndpoint(url=HOOK, options={"time_zone": "Seoul"}), {"options.time_zone": "option_wrong"}),
        ("jandi", GivenEndpoint(url=HOOK, options={"colour": "red"}), {"options": "option_wrong"}),
        ("template", GivenEndpoint(url=HOOK, options={"body": {"a": "{{ b }}"}}), {"options.body.a": "option_wrong"}),
        ("email", GivenEndpoint(url="https://mail.example.com"), {"options": "option_wrong", "url": "scheme"}),
        (
            "email",
            GivenEndpoint(url="smtp://127.0.0.1:25", options={"sender": "a@example.com", "recipients": ["b"]}),
            {"options.recipients[0]": "option_wrong", "url": "loopback"},
        ),
    ],
)
def test_every_mistake_is_found_at_once(kind: str, given: GivenEndpoint, found: dict[str, str]) -> None:
    assert mistakes(kind, given) == found


def test_a_change_leaves_alone_what_it_does_not_name() -> None:
    checked = check_change("slack_bot", GivenEndpoint(credentials={"bot_token": "xoxb-2"}), GUARD)

    assert (checked.url, checked.options, dict(checked.credentials)) == (None, None, {"bot_token": "xoxb-2"})


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example.com", ("mail.example.com", 587)),
        ("smtps://mail.example.com", ("mail.example.com", 465)),
        ("smtp://mail.example.com:25", ("mail.example.com", 25)),
        ("smtp://mail.example.com:22", TargetRefusal.PORT),
        ("smtp://user:pw@mail.example.com", TargetRefusal.USERINFO),
        ("smtp://mail.example.com/path", TargetRefusal.MALFORMED),
        ("smtp://169.254.169.254", TargetRefusal.METADATA),
        ("smtp://10.1.2.3:25", TargetRefusal.PRIVATE),
        ("smtp://", TargetRefusal.HOST),
        ("smtp://mail.example.com\r\n", TargetRefusal.MALFORMED),
        ("https://mail.example.com", TargetRefusal.SCHEME),
    ],
)
def test_mail_servers_are_judged_like_every_target(url: str, expected: tuple[str, int] | TargetRefusal) -> None:
    if isinstance(expected, tuple):
        assert GUARD.check_mail_server(url) == expected
        return
    with pytest.raises(ForbiddenTargetError) as refused:
        GUARD.check_mail_server(url)
    assert refused.value.refusal is expected
