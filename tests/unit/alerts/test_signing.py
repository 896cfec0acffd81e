"""Signatures, verified by the library of Standard Webhooks and by Svix's, and against the published vector."""

import base64
import json
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from uuid import UUID

import pytest
import standardwebhooks
import svix.webhooks
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.alerts.deliver.webhook.secret_store import SecretMaterial
from services.alerts.deliver.webhook.signing import MissingMasterKeyError, WebhookSigner
from tests.architecture.tree import ROOT
from waymark.webhooks import verify

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


# --- v1a: signatures that receivers verify with a public key ------------------------------------------------------


def asymmetric(signer: WebhookSigner, number: int = 1) -> SecretMaterial:
    return replace(material(signer, number), asymmetric=True)


def test_a_public_key_verifies_and_libraries_that_know_v1_alone_go_on_working() -> None:
    signer = WebhookSigner([MASTER])
    secret = asymmetric(signer)
    now = datetime.now(UTC)
    public = signer.public_key(secret)
    assert public is not None

    headers = signer.headers("msg_1", BODY, [secret], now)

    assert [token.partition(",")[0] for token in headers["webhook-signature"].split()] == ["v1", "v1a"]
    assert verify(BODY, headers, [public], now=now).version == "v1a"
    assert verify(BODY, headers, [signer.reveal(secret)], now=now).version == "v1"
    standardwebhooks.Webhook(signer.reveal(secret)).verify(BODY, headers)
    svix.webhooks.Webhook(signer.reveal(secret)).verify(BODY, headers)


def test_node_verifies_what_we_sign(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("NOT TESTED: node is not installed")
    signer = WebhookSigner([MASTER])
    secret = asymmetric(signer)
    now = datetime(2026, 11, 22, tzinfo=UTC)
    vector = {
        "name": "ours",
        "keys": [signer.public_key(secret)],
        "headers": signer.headers("msg_1", BODY, [secret], now),
        "body_base64": base64.b64encode(BODY).decode(),
        "now_s": now.timestamp(),
        "result": "verified",
    }
    (tmp_path / "vectors.json").write_text(json.dumps({"vectors": [vector]}), "utf-8")

    ran = subprocess.run(
        [node, ROOT / "examples" / "receivers" / "verify.mjs", tmp_path / "vectors.json"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.stdout.strip() == "1 passed, 0 failed", ran.stderr


def test_who_knows_the_secret_cannot_make_the_private_key() -> None:
    signer = WebhookSigner([MASTER])
    secret = asymmetric(signer)
    revealed = base64.b64decode(signer.reveal(secret).removeprefix("whsec_"))
    public = Ed25519PrivateKey.from_private_bytes(revealed).public_key().public_bytes_raw()

    assert signer.public_key(secret) != "whpk_" + base64.b64encode(public).decode()
    assert signer.public_key(secret) != signer.public_key(asymmetric(signer, 2))


def test_both_keys_sign_while_one_replaces_the_other() -> None:
    signer = WebhookSigner([MASTER])
    old, new = asymmetric(signer, 1), asymmetric(signer, 2)
    now = datetime.now(UTC)

    headers = signer.headers("msg_1", BODY, [new, old], now)

    for one in (new, old):
        assert verify(BODY, headers, [signer.public_key(one) or ""], now=now).version == "v1a"


def test_without_a_master_key_there_is_no_key_pair() -> None:
    signer = WebhookSigner(())

    assert signer.public_key(asymmetric(signer)) is None
    headers = signer.headers("msg_1", BODY, [asymmetric(signer)], datetime.now(UTC))
    assert "v1a" not in headers["webhook-signature"]
