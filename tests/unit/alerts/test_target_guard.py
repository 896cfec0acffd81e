"""Where webhooks may go: the table of addresses, the forms of URLs, and what operators can allow."""

from ipaddress import ip_address, ip_network

import pytest

from services.alerts.deliver.http.target_guard import (
    ForbiddenTargetError,
    TargetGuard,
    TargetPolicy,
    TargetRefusal,
    classify,
)

PUBLIC = TargetGuard(TargetPolicy())
LOCAL = TargetGuard(TargetPolicy(loopback=True))
COMPANY = TargetGuard(TargetPolicy(networks=(ip_network("10.20.0.0/16"), ip_network("169.254.0.0/16"))))


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
        ("127.0.0.1", TargetRefusal.LOOPBACK),
        ("127.255.255.254", TargetRefusal.LOOPBACK),
        ("::1", TargetRefusal.LOOPBACK),
        ("0.0.0.0", TargetRefusal.RESERVED),
        ("0.1.2.3", TargetRefusal.RESERVED),
        # networks like the one we stand in
        ("10.0.0.1", TargetRefusal.PRIVATE),
        ("10.255.255.255", TargetRefusal.PRIVATE),
        ("172.16.0.1", TargetRefusal.PRIVATE),
        ("172.31.255.255", TargetRefusal.PRIVATE),
        ("192.168.1.1", TargetRefusal.PRIVATE),
        ("100.64.0.1", TargetRefusal.PRIVATE),
        ("100.127.255.255", TargetRefusal.PRIVATE),
        ("198.18.0.1", TargetRefusal.PRIVATE),
        ("fc00::1", TargetRefusal.PRIVATE),
        ("fdff::1", TargetRefusal.PRIVATE),
        ("fec0::1", TargetRefusal.PRIVATE),
        # the link
        ("169.254.1.1", TargetRefusal.LINK_LOCAL),
        ("fe80::1", TargetRefusal.LINK_LOCAL),
        # clouds tell their secrets here
        ("169.254.169.254", TargetRefusal.METADATA),
        ("169.254.170.2", TargetRefusal.METADATA),
        ("168.63.129.16", TargetRefusal.METADATA),
        ("100.100.100.200", TargetRefusal.METADATA),
        ("fd00:ec2::254", TargetRefusal.METADATA),
        # an IPv4 address hidden in an IPv6 one
        ("::ffff:127.0.0.1", TargetRefusal.TRANSITION),
        ("::ffff:1.1.1.1", TargetRefusal.TRANSITION),
        ("::127.0.0.1", TargetRefusal.TRANSITION),
        ("::", TargetRefusal.TRANSITION),
        ("64:ff9b::a9fe:a9fe", TargetRefusal.TRANSITION),
        ("64:ff9b:1::a9fe:a9fe", TargetRefusal.TRANSITION),
        ("2002:a9fe:a9fe::1", TargetRefusal.TRANSITION),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", TargetRefusal.RESERVED),
        # for documents, tests and special uses
        ("192.0.0.8", TargetRefusal.RESERVED),
        ("192.0.2.1", TargetRefusal.RESERVED),
        ("192.88.99.3", TargetRefusal.TRANSITION),
        ("198.51.100.7", TargetRefusal.RESERVED),
        ("203.0.113.9", TargetRefusal.RESERVED),
        ("192.175.48.1", TargetRefusal.RESERVED),
        ("192.31.196.1", TargetRefusal.RESERVED),
        ("192.52.193.1", TargetRefusal.RESERVED),
        ("240.0.0.1", TargetRefusal.RESERVED),
        ("255.255.255.255", TargetRefusal.RESERVED),
        ("2001:db8::1", TargetRefusal.RESERVED),
        ("3fff::1", TargetRefusal.RESERVED),
        ("5f00::1", TargetRefusal.RESERVED),
        ("100::1", TargetRefusal.RESERVED),
        # many at once
        ("224.0.0.1", TargetRefusal.MULTICAST),
        ("239.255.255.255", TargetRefusal.MULTICAST),
        ("ff02::1", TargetRefusal.MULTICAST),
    ],
)
def test_an_address_is_public_or_has_a_reason_not_to_be(address: str, refusal: TargetRefusal | None) -> None:
    assert classify(ip_address(address)) is refusal


def test_an_address_with_a_scope_belongs_to_a_link() -> None:
    assert classify(ip_address("2606:4700::1%eth0")) is TargetRefusal.LINK_LOCAL


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
        ("", TargetRefusal.MALFORMED),
        ("https://", TargetRefusal.HOST),
        ("https://exa mple.com/", TargetRefusal.MALFORMED),
        ("https://example.com/\nhost: evil", TargetRefusal.MALFORMED),
        ("https://example.com\\@127.0.0.1/", TargetRefusal.MALFORMED),
        ("https://example.com:99999/", TargetRefusal.MALFORMED),
        ("https://" + "a" * 3000, TargetRefusal.MALFORMED),
        ("/hook", TargetRefusal.SCHEME),
        ("http://example.com/hook", TargetRefusal.SCHEME),
        ("ftp://example.com/", TargetRefusal.SCHEME),
        ("file:///etc/passwd", TargetRefusal.SCHEME),
        ("gopher://example.com/", TargetRefusal.SCHEME),
        ("https://user:secret@example.com/", TargetRefusal.USERINFO),
        ("https://user@example.com/", TargetRefusal.USERINFO),
        ("https://@example.com/", TargetRefusal.USERINFO),
        ("https://example.com/#a", TargetRefusal.FRAGMENT),
        ("https://example.com:22/", TargetRefusal.PORT),
        ("https://1.1.1.1:6379/", TargetRefusal.PORT),
        ("https://127.0.0.1/", TargetRefusal.LOOPBACK),
        ("https://localhost/", TargetRefusal.LOOPBACK),
        ("https://a.localhost./", TargetRefusal.LOOPBACK),
        ("https://LOCALHOST/", TargetRefusal.LOOPBACK),
        ("https://[::1]/", TargetRefusal.LOOPBACK),
        ("https://[::ffff:127.0.0.1]/", TargetRefusal.TRANSITION),
        ("https://169.254.169.254/latest/meta-data", TargetRefusal.METADATA),
        ("https://metadata.google.internal/", TargetRefusal.METADATA),
        ("https://127.1/", TargetRefusal.HOST),
        ("https://2130706433/", TargetRefusal.HOST),
        ("https://0x7f000001/", TargetRefusal.HOST),
        ("https://0177.0.0.1/", TargetRefusal.HOST),
        ("https://-bad-.example.com/", TargetRefusal.HOST),
    ],
)
def test_a_url_that_can_never_be_right_is_refused_with_a_reason(url: str, refusal: TargetRefusal) -> None:
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

    assert caught.value.refusal is TargetRefusal.LOOPBACK


def test_an_answer_with_suspiciously_many_addresses_is_refused() -> None:
    with pytest.raises(ForbiddenTargetError):
        PUBLIC.check_addresses(["1.1.1.1"] * 17)
