"""The one error that ingest raises on purpose.

    Refused    the whole request, for a `Refusal`; `routes` turns it into a problem document, once.

A touchpoint that is refused by itself is no exception but a value (`acceptance.Rejected`), and a failed publication is
the runtime's `PublishFailed`.
"""

from collections.abc import Mapping

from services.ingest.reasons import STATUS, Refusal


class Refused(Exception):  # noqa: N818  the decision's name, as the tests and the log say it
    """A request is refused as a whole; `facts` fill the wording (limits, never what was sent)."""

    def __init__(
        self, refusal: Refusal, *, headers: Mapping[str, str] | None = None, **facts: str | int | float
    ) -> None:
        super().__init__(refusal)
        self.refusal = refusal
        self.headers = dict(headers or {})
        self.facts = facts

    @property
    def status(self) -> int:
        """The HTTP status."""
        return STATUS[self.refusal]
