"""A webhook receiver for Waymark's alerts in twenty lines: verify, drop repeats, believe, answer quickly.

Run `pip install standardwebhooks`, then `python verifying_receiver.py whsec_…`; it listens on http://127.0.0.1:9000.
"""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

webhook, seen = Webhook(sys.argv[1]), set()  # in earnest, keep `seen` in your database


class Receiver(BaseHTTPRequestHandler):
    """Answers 204 to what Waymark signed, 401 to everything else."""

    def do_POST(self):
        body = self.rfile.read(min(int(self.headers.get("content-length", 0)), 65_536))
        try:
            message = webhook.verify(body, dict(self.headers))  # over the raw bytes; it also checks the time
        except (WebhookVerificationError, ValueError):  # ValueError: signature headers that make no sense
            status = 401
        else:
            status = 204
            if self.headers["webhook-id"] not in seen:  # delivery is at least once, under one id
                seen.add(self.headers["webhook-id"])
                issue = message["data"]
                print(message["type"], issue.get("severity"), issue.get("title"), flush=True)  # noqa: T201  its voice
        self.send_response(status)
        self.end_headers()


if __name__ == "__main__":
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 9000
    ThreadingHTTPServer(("127.0.0.1", port), Receiver).serve_forever()
