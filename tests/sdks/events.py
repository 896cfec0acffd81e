"""The CloudEvents SDKs of Python and npm, as rows of the matrix: each mode they have is one.

The SDKs have no transport and never try again; their clients do, as docs/ingest.md asks of producers. What is sent is
one request for each event: neither SDK makes batches.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from tests.sdks import checks
from tests.sdks.checks import CALLS
from tests.sdks.ground import Ground
from tests.sdks.kit import Library, Spec

Check = Callable[[Ground, Library], Awaitable[str]]


def _library(name: str, file: str, *modes: str) -> Library:
    return Library(name=name, file=file, others=0, batches=False, modes=modes)


LIBRARIES = (
    _library("cloudevents 2.2.0 (Python), binary", "cloudevents_python.py", "binary"),
    _library("cloudevents 2.2.0 (Python), structured", "cloudevents_python.py", "structured"),
    _library("cloudevents 10.0.0 (npm), binary", "cloudevents_node.mjs", "binary"),
    _library("cloudevents 10.0.0 (npm), structured", "cloudevents_node.mjs", "structured"),
)


async def sent(ground: Ground, library: Library) -> str:
    """All events are taken, each in one request. A Korean subject in a header is more than the SDK of npm can do."""
    seen = await checks.sent(ground, library)
    if library.modes != ("binary",) or not library.is_node:
        return f"{seen}, Korean subject"
    source, key = ground.source()
    korean = replace(library, modes=("binary", "korean"))
    errors = await checks.run(korean, Spec(url=ground.url, key=key, run=source, calls=1))
    assert len(errors) == 1, errors
    assert "ByteString" in errors[0], errors
    return f"{seen}; a Korean subject fails in the SDK"


async def accepted(ground: Ground, library: Library) -> str:
    """Each event stands on Kafka once, as the touchpoint it carried, with the identity of its envelope."""
    source, key = ground.source()
    marks = await ground.marks()
    await checks.run(library, Spec(url=ground.url, key=key, run=source, calls=CALLS))
    stood = await ground.stood(source, marks, rows=CALLS)
    assert stood.numbers == list(range(CALLS)), stood.numbers
    assert len(stood.records) == len(stood.ids) == CALLS
    assert {found["reason"] for found in stood.records} == {"배송 지연"}
    assert {found["customer"]["customer_id"]["value"] for found in stood.records} == {f"C-{source}"}
    return f"{CALLS} touchpoints, 배송 지연"


async def malformed(ground: Ground, library: Library) -> str:
    """A wrong touchpoint is refused once with 422 and stands in the dead letters; the rest arrives."""
    source, key = ground.source()
    marks, before = await ground.marks(), ground.answered()
    errors = await checks.run(library, Spec(url=ground.url, key=key, run=source, calls=10, malformed=3))
    stood = await ground.stood(source, marks, rows=7)
    assert errors == ["422 invalid_field"] * 3, errors
    assert ground.answered() - before == 10
    assert (stood.numbers, len(stood.dead_letters)) == (list(range(3, 10)), 3)
    return f"{len(stood.ids)} accepted, {len(stood.dead_letters)} × 422 and dead letters"


CHECKS: dict[str, Check] = {**checks.CHECKS, "sent": sent, "accepted": accepted, "malformed": malformed}
