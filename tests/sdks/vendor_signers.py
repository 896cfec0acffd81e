"""Signs deliveries as the vendors do, with the vendors' own libraries. Runs in an environment of its own.

    python tests/sdks/vendor_signers.py < deliveries.jsonl > headers.jsonl

One JSON object a line: `system`, `variant`, `secret`, `url`, `method`, `body` (text), `headers`, `now` (RFC 3339). The
answer has `headers` to send in addition, `url` and `body` where signing changes them, and `made_with`. Vendors without
a library (Zendesk, Intercom, Shopify, AfterShip) are signed by OpenSSL, by the recipe of their documentation. What a
library can only verify (LINE, Meta, Mailgun) is signed by OpenSSL and judged by the library.
"""

import base64
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from importlib.metadata import version
from typing import Any
from urllib.parse import parse_qsl, urlencode

Delivery = dict[str, Any]
Signed = dict[str, Any]


def openssl(algorithm: str, secret: str, text: bytes) -> bytes:
    """Return the HMAC of `text`, made by OpenSSL."""
    command = [
        "openssl",
        "dgst",
        f"-{algorithm}",
        "-mac",
        "HMAC",
        "-macopt",
        f"hexkey:{secret.encode().hex()}",
        "-binary",
    ]
    return subprocess.run(command, input=text, capture_output=True, check=True).stdout


def _seconds(delivery: Delivery) -> int:
    return int(datetime.fromisoformat(delivery["now"]).timestamp())


def _with(library: str, headers: dict[str, str], **more: str) -> Signed:
    made = library if library == "openssl" else f"{library} {version(library)}"
    return {"headers": headers, "made_with": made, **more}


def twilio(delivery: Delivery) -> Signed:
    """SHA-1 and SHA-256, forms and JSON bodies."""
    from twilio.request_validator import HMAC_SHA256, RequestValidator  # type: ignore[import-not-found]  # its own environment

    validator = RequestValidator(delivery["secret"])
    algorithm = HMAC_SHA256 if "sha256" in delivery["variant"] else None
    url = delivery["url"]
    params: dict[str, str] = dict(parse_qsl(delivery["body"], keep_blank_values=True))
    if "json" in delivery["variant"]:
        url = f"{url}?bodySHA256={hashlib.sha256(delivery['body'].encode()).hexdigest()}"
        params = {}
    headers = {"X-Twilio-Signature": validator.compute_signature(url, params, algorithm)}
    if algorithm:
        headers["X-Twilio-Webhooks-Signature-Settings"] = f"key=webhooks_sharedkey_1,algorithm={algorithm}"
    return _with("twilio", headers, url=url)


def zendesk(delivery: Delivery) -> Signed:
    """Base64 of HMAC-SHA256 over the timestamp and the body."""
    stamp = delivery["now"]
    made = openssl("sha256", delivery["secret"], (stamp + delivery["body"]).encode())
    signature = base64.b64encode(made).decode()
    headers = {"X-Zendesk-Webhook-Signature": signature, "X-Zendesk-Webhook-Signature-Timestamp": stamp}
    return _with("openssl", headers)


def intercom(delivery: Delivery) -> Signed:
    """Hexadecimal HMAC-SHA1 over the body."""
    made = openssl("sha1", delivery["secret"], delivery["body"].encode())
    return _with("openssl", {"X-Hub-Signature": f"sha1={made.hex()}"})


def shopify(delivery: Delivery) -> Signed:
    """Base64 of HMAC-SHA256 over the body."""
    made = openssl("sha256", delivery["secret"], delivery["body"].encode())
    return _with("openssl", {"X-Shopify-Hmac-Sha256": base64.b64encode(made).decode()})


def hubspot(delivery: Delivery) -> Signed:
    """Version 3."""
    from hubspot.utils.signature import Signature  # type: ignore[import-not-found]  # its own environment

    stamp = str(_seconds(delivery) * 1000)
    signature = Signature.get_signature(
        delivery["secret"], delivery["body"], "v3", delivery["url"], delivery["method"], stamp
    )
    headers = {"X-HubSpot-Signature-v3": signature, "X-HubSpot-Request-Timestamp": stamp}
    return _with("hubspot-api-client", headers)


def slack(delivery: Delivery) -> Signed:
    """Version 0."""
    from slack_sdk.signature import SignatureVerifier

    stamp = str(_seconds(delivery))
    signature = SignatureVerifier(delivery["secret"]).generate_signature(timestamp=stamp, body=delivery["body"])
    return _with("slack-sdk", {"X-Slack-Signature": signature or "", "X-Slack-Request-Timestamp": stamp})


def line(delivery: Delivery) -> Signed:
    """Base64 of HMAC-SHA256 over the body; judged by LINE's own validator."""
    from linebot.v3.webhook import SignatureValidator  # type: ignore[import-not-found]  # its own environment

    made = base64.b64encode(openssl("sha256", delivery["secret"], delivery["body"].encode())).decode()
    if not SignatureValidator(delivery["secret"]).validate(delivery["body"], made):
        msg = "LINE's validator refuses the signature"
        raise AssertionError(msg)
    return _with("line-bot-sdk", {"X-Line-Signature": made})


def meta(delivery: Delivery) -> Signed:
    """Hexadecimal HMAC-SHA256 over the body; judged by a library that takes Meta's webhooks."""
    from pywa.utils import webhook_updates_validator  # type: ignore[import-not-found]  # its own environment

    made = "sha256=" + openssl("sha256", delivery["secret"], delivery["body"].encode()).hex()
    if not webhook_updates_validator(delivery["secret"], delivery["body"].encode(), made):
        msg = "pywa refuses the signature"
        raise AssertionError(msg)
    return _with("pywa", {"X-Hub-Signature-256": made})


def mailgun(delivery: Delivery) -> Signed:
    """Hexadecimal HMAC-SHA256 over time and token, in the form itself; judged by Mailgun's own library."""
    from mailgun.security import SecurityGuard  # type: ignore[import-not-found]  # its own environment

    fields = dict(parse_qsl(delivery["body"], keep_blank_values=True))
    stamp, token = str(_seconds(delivery)), fields.get("token") or "0" * 50
    made = openssl("sha256", delivery["secret"], (stamp + token).encode()).hex()
    if not SecurityGuard.verify_webhook(delivery["secret"], token, stamp, made, max_age_seconds=0):
        msg = "Mailgun's library refuses the signature"
        raise AssertionError(msg)
    signed = urlencode({**fields, "timestamp": stamp, "token": token, "signature": made})
    return _with("mailgun", {}, body=signed)


def aftership(delivery: Delivery) -> Signed:
    """Base64 of HMAC-SHA256 over the body."""
    made = openssl("sha256", delivery["secret"], delivery["body"].encode())
    return _with("openssl", {"Aftership-Hmac-Sha256": base64.b64encode(made).decode()})


def standard_webhooks(delivery: Delivery) -> Signed:
    """Standard Webhooks, signed by one library and verified by another."""
    from datetime import UTC

    from standardwebhooks import Webhook
    from svix.webhooks import Webhook as Svix

    id_ = delivery["headers"].get("webhook-id", "msg_1")
    moment = datetime.fromisoformat(delivery["now"]).astimezone(UTC)
    signature = Webhook(delivery["secret"]).sign(id_, moment, delivery["body"])
    stamp = str(int(moment.timestamp()))
    headers = {"webhook-id": id_, "webhook-timestamp": stamp, "webhook-signature": signature}
    if delivery.get("judge"):
        Svix(delivery["secret"]).verify(delivery["body"], headers)
    return _with("standardwebhooks", headers)


def token(header: str, prefix: str = "") -> Callable[[Delivery], Signed]:
    """A secret that is only repeated."""
    return lambda delivery: {"headers": {header: prefix + delivery["secret"]}, "made_with": "nothing to sign"}


def in_path(delivery: Delivery) -> Signed:
    """A secret at the end of the URL."""
    return {"headers": {}, "url": f"{delivery['url']}/{delivery['secret']}", "made_with": "nothing to sign"}


SIGNERS: dict[str, Callable[[Delivery], Signed]] = {
    "twilio_voice": twilio,
    "twilio_sms": twilio,
    "zendesk": zendesk,
    "intercom": intercom,
    "shopify": shopify,
    "hubspot": hubspot,
    "slack": slack,
    "line": line,
    "standard_webhooks": standard_webhooks,
    "amazon_connect": token("X-Api-Key"),
    "genesys_cloud": token("Authorization", "Bearer "),
    "kakao_skill": token("Authorization", "Bearer "),
    "kakao_channel": token("Authorization", "KakaoAK "),
    "naver_talktalk": in_path,
    "static_token": token("X-Auth-Token"),
    "meta": meta,
    "mailgun": mailgun,
    "aftership": aftership,
}


def main() -> None:
    """Sign what comes in."""
    for text in sys.stdin:
        delivery = json.loads(text)
        sys.stdout.write(json.dumps(SIGNERS[delivery["system"]](delivery)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
