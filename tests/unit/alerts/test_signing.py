"""Signatures, verified by the library of Standard Webhooks and by Svix's, and against the published vector."""

import base64
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
import standardwebhooks
import svix.webhooks

from services.alerts.deliver.webhook.secret_store import SecretMaterial
from services.alerts.deliver.webhook.signing import MissingMasterKeyError, WebhookSigner

MASTER, OTHER = "m" * 32, "o" * 32
ENDPOINT = UUID(int=1)
BODY = '{"type":"issue.opened","data":{"title":{"ko":"두 번 전화 🙃"}}}'.encode()


def material(signer: WebhookSigner, number: int = 1) -> SecretMaterial:
    return signer.new_secret(
        secret_id=UUID(int=number), endpoint_id=ENDPOINT, material=bytes([number]) * 32, now=datetime.now(UTC)
    )


@pytest.fixture(params=[(), (MASTER,)], ids=["stored", "derived"])
def signer(request: pytest.FixtureRequest) -> WebhookSigner:
    return WebhookSigner(request.param)


def test_the_published_vector() -> None:
    secret = SecretMaterial(
        id=UUID(int=1),
        endpoint_id=ENDPOINT,
        material=base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        master_key=None,
        created_at=datetime.now(UTC),
    )

    headers = WebhookSigner(()).headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', [secret], datetime.fromtimestamp(1614265330, UTC)
    )

    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("body", [BODY, b"{}", b'{"a":\r\n1}'], ids=["korean", "empty", "crlf"])
def test_the_libraries_verify_what_we_sign(signer: WebhookSigner, body: bytes) -> None:
    secret = material(signer)

    headers = signer.headers("msg_1", body, [secret], datetime.now(UTC))

    standardwebhooks.Webhook(signer.reveal(secret)).verify(body, headers)
    svix.webhooks.Webhook(signer.reveal(secret)).verify(body, headers)


def test_a_timestamp_in_another_zone_is_the_same_moment(signer: WebhookSigner) -> None:
    now = datetime.now(timezone(timedelta(hours=9)))

    headers = signer.headers("msg_1", BODY, [material(signer)], now)

    assert headers["webhook-timestamp"] == str(int(now.timestamp()))


def test_during_a_rotation_both_secrets_verify(signer: WebhookSigner) -> None:
    old, new = material(signer, 1), material(signer, 2)

    headers = signer.headers("msg_1", BODY, [new, old], datetime.now(UTC))

    assert headers["webhook-signature"].count("v1,") == 2
    for secret in (old, new):
        standardwebhooks.Webhook(signer.reveal(secret)).verify(BODY, headers)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"webhook-id": "msg_2"}, id="id"),
        pytest.param({"webhook-timestamp": str(int(datetime.now(UTC).timestamp()) - 1)}, id="timestamp"),
        pytest.param({"webhook-signature": "v1,AAAA"}, id="signature"),
    ],
)
def test_whatever_is_changed_on_the_way_is_noticed(change: dict[str, str]) -> None:
    signer = WebhookSigner((MASTER,))
    secret = material(signer)
    headers = signer.headers("msg_1", BODY, [secret], datetime.now(UTC)) | change

    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(signer.reveal(secret)).verify(BODY, headers)


def test_with_a_master_key_the_database_does_not_hold_the_secret() -> None:
    signer = WebhookSigner((MASTER,))
    secret = material(signer)

    assert base64.b64encode(secret.material).decode() not in signer.reveal(secret)
    assert secret.master_key is not None
    assert "m" * 6 not in secret.master_key


def test_a_new_master_key_leaves_older_secrets_as_they_are() -> None:
    before = WebhookSigner((MASTER,))
    secret = material(before)

    after = WebhookSigner((OTHER, MASTER))

    assert after.reveal(secret) == before.reveal(secret)
    assert material(after).master_key != secret.master_key


def test_a_master_key_that_is_gone_is_an_error_that_names_it() -> None:
    secret = material(WebhookSigner((MASTER,)))

    with pytest.raises(MissingMasterKeyError, match=secret.master_key or "none"):
        WebhookSigner((OTHER,)).reveal(secret)


def test_a_secret_shows_no_material_when_it_is_printed() -> None:
    secret = material(WebhookSigner(()))

    assert repr(secret.material) not in repr(secret)
