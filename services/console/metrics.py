"""Declares the metrics of the console, besides those of requests that every HTTP process has."""

from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge

from services.console.forwarded import ApiName


class SignInOutcome(StrEnum):
    """How an attempt to sign in ended."""

    SIGNED_IN = "signed_in"
    REFUSED = "refused"
    UNANSWERED = "unanswered"


class ConsoleMetrics:
    """The metrics of the console, made once in each process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._sign_ins = Counter(
            "waymark_console_sign_ins",
            "Attempts to sign in, by how they ended: signed_in, refused, unanswered (alerts did not answer).",
            ("outcome",),
            registry=registry,
        )
        for outcome in SignInOutcome:
            self._sign_ins.labels(outcome)
        self._unanswered = Counter(
            "waymark_console_unanswered",
            "Requests that an API did not answer in time or at all, by API.",
            ("api",),
            registry=registry,
        )
        for api in ApiName:
            self._unanswered.labels(api)
        self.streams = Gauge(
            "waymark_console_streams", "Live streams that go through this process now.", registry=registry
        )

    def signed_in(self, outcome: SignInOutcome) -> None:
        """Count one attempt to sign in."""
        self._sign_ins.labels(outcome).inc()

    def unanswered(self, api: ApiName) -> None:
        """Count one request that an API did not answer."""
        self._unanswered.labels(api).inc()
