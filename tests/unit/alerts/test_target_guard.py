"""Where webhooks may go: the table of addresses, the forms of URLs, and what operators can allow."""

from ipaddress import ip_address, ip_network

import pytest

from services.alerts.deliver.webhook.target_guard import ForbiddenTargetError, Guard, Refusal, TargetPolicy, classify

PUBLIC = Guard(TargetPolicy())
LOCAL = Guard(TargetPolicy(loopback=True))
COMPANY = Guard(TargetPolicy(networks=(ip_network("10.20.0.0/16"), ip_network("169.254.0.0/16"))))


@pytest.mark.parametrize(
    ("address", "refusal"),
    [
        # addresses of the public internet
        ("1.1.1.1", None),
        ("93.184.216.34", None),
        ("100.63.255.255", None),
        ("100.128.0.0", None),
        ("172.15.255.255", None),
        ("172.32.0.0", None),
        ("223.255.255.255", None),
        ("2606:4700:4700::1111", None),
        ("2a00:1450:4001:81b::200e", None),
        # this machine
        ("127.0.0.1", Refusal.LOOPBACK),
        ("127.255.255.254", Refusal.LOOPBACK),
        ("::1", Refusal.LOOPBACK),
        ("0.0.0.0", Refusal.RESERVED),
        ("0.1.2.3", Refusal.RESERVED),
        # networks like the one we stand in
        ("10.0.0.1", Refusal.PRIVATE),
        ("10.255.255.255", Refusal.PRIVATE),
        ("172.16.0.1", Refusal.PRIVATE),
        ("172.31.255.255", Refusal.PRIVATE),
        ("192.168.1.1", Refusal.PRIVATE),
        ("100.64.0.1", Refusal.PRIVATE),
        ("100.127.255.255", Refusal.PRIVATE),
        ("198.18.0.1", Refusal.PRIVATE),
        ("fc00::1", Refusal.PRIVATE),
        ("fdff::1", Refusal.PRIVATE),
        ("fec0::1", Refusal.PRIVATE),
        # the link
        ("169.254.1.1", Refusal.LINK_LOCAL),
        ("fe80::1", Refusal.LINK_LOCAL),
        # clouds tell their secrets here
        ("169.254.169.254", Refusal.METADATA),
        ("169.254.170.2", Refusal.METADATA),
        ("168.63.129.16", Refusal.METADATA),
        ("100.100.100.200", Refusal.METADATA),
        ("fd00:ec2::254", Refusal.METADATA),
        # an IPv4 address hidden in an IPv6 one
        ("::ffff:127.0.0.1", Refusal.TRANSITION),
        ("::ffff:1.1.1.1", Refusal.TRANSITION),
        ("::127.0.0.1", Refusal.TRANSITION),
        ("::", Refusal.TRANSITION),
        ("64:ff9b::a9fe:a9fe", Refusal.TRANSITION),
        ("64:ff9b:1::a9fe:a9fe", Refusal.TRANSITION),
        ("2002:a9fe:a9fe::1", Refusal.TRANSITION),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", Refusal.RESERVED),
        # for documents, tests and special uses
        ("192.0.0.8", Refusal.RESERVED),
        ("192.0.2.1", Refusal.RESERVED),
        ("192.88.99.3", Refusal.TRANSITION),
        ("198.51.100.7", Refusal.RESERVED),
        ("203.0.113.9", Refusal.RESERVED),
        ("192.175.48.1", Refusal.RESERVED),
        ("192.31.196.1", Refusal.RESERVED),
        ("192.52.193.1", Refusal.RESERVED),
        ("240.0.0.1", Refusal.RESERVED),
        ("255.255.255.255", Refusal.RESERVED),
        ("2001:db8::1", Refusal.RESERVED),
        ("3fff::1", Refusal.RESERVED),
        ("5f00::1", Refusal.RESERVED),
        ("100::1", Refusal.RESERVED),
        # many at once
        ("224.0.0.1", Refusal.MULTICAST),
        ("239.255.255.255", Refusal.MULTICAST),
        ("ff02::1", Refusal.MULTICAST),
    ],
)
def test_an_address_is_public_or_has_a_reason_not_to_be(address: str, refusal: Refusal | None) -> None:
    assert classify(ip_address(address)) is refusal


def test_an_address_with_a_scope_belongs_to_a_link() -> None:
    assert classify(ip_address("2606:4700::1%eth0")) is Refusal.LINK_LOCAL


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/hook",
        "https://example.com:8443/hook?team=billing",
        "https://1.1.1.1/hook",
        "https://[2606:4700:4700::1111]/hook",
        "https://훅.example.com/받기",
        "https://example.com.:443/",
        "https://hooks_2.example.com/",
    ],
)
def test_public_https_is_allowed(url: str) -> None:
    assert PUBLIC.check_url(url).scheme == "https"


@pytest.mark.parametrize(
    ("url", "refusal"),
    [
        ("", Refusal.MALFORMED),
        ("https://", Refusal.HOST),
        ("https://exa mple.com/", Refusal.MALFORMED),
        ("https://example.com/\nhost: evil", Refusal.MALFORMED),
        ("https://example.com\\@127.0.0.1/", Refusal.MALFORMED),
        ("https://example.com:99999/", Refusal.MALFORMED),
        ("https://" + "a" * 3000, Refusal.MALFORMED),
        ("/hook", Refusal.SCHEME),
        ("http://example.com/hook", Refusal.SCHEME),
        ("ftp://example.com/", Refusal.SCHEME),
        ("file:///etc/passwd", Refusal.SCHEME),
        ("gopher://example.com/", Refusal.SCHEME),
        ("https://user:secret@example.com/", Refusal.USERINFO),
        ("https://user@example.com/", Refusal.USERINFO),
        ("https://@example.com/", Refusal.USERINFO),
        ("https://example.com/#a", Refusal.FRAGMENT),
        ("https://example.com:22/", Refusal.PORT),
        ("https://1.1.1.1:6379/", Refusal.PORT),
        ("https://127.0.0.1/", Refusal.LOOPBACK),
        ("https://localhost/", Refusal.LOOPBACK),
        ("https://a.localhost./", Refusal.LOOPBACK),
        ("https://LOCALHOST/", Refusal.LOOPBACK),
        ("https://[::1]/", Refusal.LOOPBACK),
        ("https://[::ffff:127.0.0.1]/", Refusal.TRANSITION),
        ("https://169.254.169.254/latest/meta-data", Refusal.METADATA),
        ("https://metadata.google.internal/", Refusal.METADATA),
        ("https://127.1/", Refusal.HOST),
        ("https://2130706433/", Refusal.HOST),
        ("https://0x7f000001/", Refusal.HOST),
        ("https://0177.0.0.1/", Refusal.HOST),
        ("https://-bad-.example.com/", Refusal.HOST),
    ],
)
def test_a_url_that_can_never_be_right_is_refused_with_a_reason(url: str, refusal: Refusal) -> None:
    with pytest.raises(ForbiddenTargetError) as caught:
        PUBLIC.check_url(url)

    assert caught.value.refusal is refusal


@pytest.mark.parametrize("url", ["http://127.0.0.1:9999/hook", "http://localhost:1/", "https://[::1]:8080/"])
def test_the_local_stack_may_reach_its_own_machine_and_nothing_else(url: str) -> None:
    LOCAL.check_url(url)

    for other in ("http://10.0.0.1/", "https://10.0.0.1/", "http://example.com/", "https://169.254.169.254/"):
        with pytest.raises(ForbiddenTargetError):
            LOCAL.check_url(other)


def test_an_operator_can_allow_a_network_but_never_the_metadata_service() -> None:
    COMPANY.check_addresses(["10.20.3.4", "1.1.1.1", "169.254.7.7"])

    for address in ("10.21.0.1", "127.0.0.1", "169.254.169.254"):
        with pytest.raises(ForbiddenTargetError):
            COMPANY.check_addresses([address])


def test_one_forbidden_address_in_an_answer_refuses_all() -> None:
    with pytest.raises(ForbiddenTargetError) as caught:
        PUBLIC.check_addresses(["1.1.1.1", "127.0.0.1"])

    assert caught.value.refusal is Refusal.LOOPBACK


def test_an_answer_with_suspiciously_many_addresses_is_refused() -> None:
    with pytest.raises(ForbiddenTargetError):
        PUBLIC.check_addresses(["1.1.1.1"] * 17)
