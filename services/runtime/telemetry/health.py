"""Liveness, readiness and metrics of a process, as three routes.

`/livez` answers whether the process should be kept alive at all, `/readyz` whether it can do its work now, one line per
check with `?verbose`. A database that is away must not fail `/livez`: restarting a healthy fleet heals nothing.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What one check found; a check that is not `essential` is shown but does not fail the whole."""

    name: str
    ok: bool
    detail: str = ""
    essential: bool = True


Check = Callable[[], Awaitable[CheckResult]]


@dataclass(slots=True, kw_only=True)
class HealthChecks:
    """The checks of one process. `draining` is set when the process was asked to stop."""

    registry: CollectorRegistry
    live: Sequence[Check] = ()
    ready: Sequence[Check] = ()
    draining: bool = field(default=False)

    def __post_init__(self) -> None:
        ProcessCollector(registry=self.registry)  # processor time, memory, open files: the process speaks for itself

    def routes(self) -> list[Route]:
        """Return `/livez`, `/readyz`, its alias `/health`, and `/metrics`."""
        return [
            Route("/livez", self._livez, include_in_schema=False),
            Route("/readyz", self._readyz, include_in_schema=False),
            Route("/health", self._readyz, include_in_schema=False),
            Route("/metrics", self._metrics, include_in_schema=False),
        ]

    async def _livez(self, request: Request) -> Response:
        return _report([await check() for check in self.live], verbose="verbose" in request.query_params)

    async def _readyz(self, request: Request) -> Response:
        results = [await check() for check in self.ready]
        if self.draining:
            results.append(CheckResult(name="draining", ok=False, detail="the process was asked to stop"))
        return _report(results, verbose="verbose" in request.query_params)

    async def _metrics(self, request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(self.registry), headers={"content-type": content_type})


def _report(results: Sequence[CheckResult], *, verbose: bool) -> Response:
    failed = [result for result in results if not result.ok and result.essential]
    lines = [_line(result) for result in (results if verbose else failed)]
    lines.append("failed" if failed else "ok")
    return PlainTextResponse("\n".join(lines) + "\n", status_code=503 if failed else 200)


def _line(result: CheckResult) -> str:
    mark = "+" if result.ok else "-" if result.essential else "~"
    return f"[{mark}] {result.name}" + (f": {result.detail}" if result.detail else "")
