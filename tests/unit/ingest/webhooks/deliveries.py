"""The examples of examples/sources as deliveries, and what each is expected to become."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.ingest.forms.webhooks.delivery import InboundDelivery

EXAMPLES = Path(__file__).parents[4] / "examples" / "sources"
NOW = datetime(2026, 11, 22, 0, 15, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Example:
    """One example: the file of a body, perhaps one of headers, and what is expected."""

    system: str
    path: Path

    @property
    def body(self) -> bytes:
        """The bytes as the vendor sends them."""
        return self.path.read_bytes()

    @property
    def headers(self) -> dict[str, str]:
        """Its headers, in lower case."""
        form = self.path.suffix == ".form"
        found = {"content-type": "application/x-www-form-urlencoded" if form else "application/json"}
        beside = self.path.with_suffix(".headers")
        for line in beside.read_text().splitlines() if beside.exists() else ():
            name, _, value = line.partition(":")
            found[name.lower()] = value.strip()
        return found

    @property
    def delivery(self) -> InboundDelivery:
        """It as a delivery, not signed."""
        return InboundDelivery(headers=self.headers, body=self.body)

    @property
    def expected(self) -> Any:
        """The touchpoints that it becomes, or the answer to a handshake."""
        return json.loads(self.path.with_name(f"{self.path.stem}.expected.json").read_text(encoding="utf-8"))

    def __str__(self) -> str:
        """Name it for a list of tests."""
        return f"{self.system}/{self.path.stem}"


def examples() -> Iterator[Example]:
    """Return every example."""
    for path in sorted(EXAMPLES.glob("*/*")):
        if path.suffix in {".json", ".form"} and not path.name.endswith(".expected.json"):
            yield Example(system=path.parent.name, path=path)


def example(name: str) -> Example:
    """Return the example `system/name`."""
    return next(each for each in examples() if str(each) == name)
