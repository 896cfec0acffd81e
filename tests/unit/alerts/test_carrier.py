"""A message that cannot be sent: why, and whether it waits for an operator or is given up. Nothing goes out."""

from typing import Any
from uuid import UUID

import pytest

from services.alerts.deliver.action_link import ActionLinks
from services.alerts.deliver.carrier import CarriedMessage, DeliveryAddress, MessageCarrier, Provision
from services.alerts.deliver.http.sender import EndpointSender
from services.alerts.deliver.http.target_guard import TargetGuard, TargetPolicy
from services.alerts.deliver.notifiers.samples import sample_bodies
from services.alerts.deliver.retry import AttemptFailure, AttemptOutcome
from services.alerts.deliver.smtp.mail_sender import MailSender
from services.alerts.deliver.webhook.secret_store import SecretMaterial
from services.alerts.deliver.webhook.signing import WebhookSigner
from services.runtime.credentials.sealing import SealedSecret, SecretSealer
from tests.fixtures.clock import SteppingClock

KEY, ENDPOINT = "k" * 32, UUID(int=1)


async def carried(kind: str, clock: SteppingClock, *, url: str = "", **members: Any) -> CarriedMessage:
    """Carry a sample to an endpoint of a kind; the sender was not started, so nothing can go out."""
    guard = TargetGuard(TargetPolicy())
    carrier = MessageCarrier(
        sender=EndpointSender(guard, clock),
        mail=MailSender(guard, clock),
        signer=WebhookSigner([KEY]),
        seal=SecretSealer([KEY]),
        links=ActionLinks([KEY], ""),
        clock=clock,
    )
    address = DeliveryAddress(endpoint_id=ENDPOINT, kind=kind, url=url, issue_id=None)
    return await carrier.carry("msg_1", sample_bodies()["opened"], Provision(address=address, **members))


def sealed(text: str, name: str, *, key: str = KEY) -> dict[str, SealedSecret]:
    owner = f"alerts.endpoint/{ENDPOINT}/{name}"
    return {name: SecretSealer([key]).seal(text, owner=owner, nonce=b"n" * 12)}


@pytest.mark.logs_error("credentials cannot be opened")
@pytest.mark.parametrize("given", [{}, {"sealed": sealed("r", "routing_key", key="o" * 32)}], ids=["lost", "other key"])
async def test_a_credential_that_is_not_there_keeps_its_message_waiting(
    clock: SteppingClock, given: dict[str, Any]
) -> None:
    found = await carried("pagerduty", clock, **given)

    assert (found.verdict.outcome, found.verdict.failure) == (AttemptOutcome.RETRY, AttemptFailure.UNSEALABLE)


@pytest.mark.logs_error("credentials cannot be opened")
async def test_a_sealed_address_of_another_endpoint_opens_nothing(clock: SteppingClock) -> None:
    stolen = SecretSealer([KEY]).seal("https://hooks.slack.com/x", owner="alerts.endpoint/2/url", nonce=b"n" * 12)

    found = await carried("slack_webhook", clock, sealed={"url": stolen})

    assert found.verdict.failure is AttemptFailure.UNSEALABLE


@pytest.mark.logs_error("no notifier of this kind")
async def test_a_kind_whose_package_was_taken_away_waits(clock: SteppingClock) -> None:
    found = await carried("sms", clock)

    assert (found.verdict.outcome, found.verdict.failure) == (AttemptOutcome.RETRY, AttemptFailure.RENDERING)


@pytest.mark.logs_error("options do not fit")
async def test_options_of_another_release_wait(clock: SteppingClock) -> None:
    found = await carried("jandi", clock, sealed=sealed("https://wh.jandi.com/x", "url"), options='{"later": 1}')

    assert (found.verdict.outcome, found.verdict.failure) == (AttemptOutcome.RETRY, AttemptFailure.RENDERING)


@pytest.mark.logs_error("message cannot be rendered")
async def test_a_template_that_fails_gives_its_message_up(clock: SteppingClock) -> None:
    found = await carried("template", clock, url="https://desk.example", options='{"body": {"a": "{{ nothing }}"}}')

    assert (found.verdict.outcome, found.verdict.failure) == (AttemptOutcome.REFUSED, AttemptFailure.RENDERING)


@pytest.mark.logs_error("secret cannot be made")
async def test_a_signing_secret_of_a_lost_master_key_waits(clock: SteppingClock) -> None:
    lost = SecretMaterial(
        id=UUID(int=2), endpoint_id=ENDPOINT, material=b"m" * 32, master_key="gone", created_at=clock.now()
    )

    found = await carried("standard_webhook", clock, url="https://desk.example", signing=[lost])

    assert (found.verdict.outcome, found.verdict.failure) == (AttemptOutcome.RETRY, AttemptFailure.SIGNING)
