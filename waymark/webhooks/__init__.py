"""Verifies webhooks of Waymark, for receivers in Python: both signatures of Standard Webhooks, `v1` and `v1a`.

    from waymark.webhooks import verify

    message = verify(raw_body, headers, ["whsec_…"])    # the secret of the endpoint, or
    message = verify(raw_body, headers, ["whpk_…"])     # its public key, with which nobody can sign

It needs nothing of Waymark's but this package, and works for every sender that follows the specification.
"""

from waymark.webhooks.verification import VerifiedWebhook, WebhookRefusal, WebhookRefusedError, verify

__all__ = ["VerifiedWebhook", "WebhookRefusal", "WebhookRefusedError", "verify"]
