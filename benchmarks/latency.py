"""From ingest's answer to a verified webhook, at a paced rate, with everything on this machine.

Most touchpoints are page views of passers-by. One in `1 / MEASURED_SHARE` is the second call of somebody about the same
case: it completes a friction, and the time from its 202 to the verified webhook is measured. The rate is open-loop: a
slow answer does not slow the senders down.
"""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import orjson

from services.runtime.clock import SystemClock
from waymark.demo.receiver import Alert, Receiver
from waymark.stack.process import free_port

MEASURED_SHARE = 0.05
STARTED_WITHIN_S = 180.0
HEARD_WITHIN_S = 20.0
WARM_UP_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Milliseconds from acceptance to webhook; `lost` frictions were not heard of within 20 s."""

    rate: int
    sent: int
    measured: int
    lost: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    ingest_p50_ms: float
    ingest_p99_ms: float


@asynccontextmanager
async def running_stack(broker: str) -> AsyncIterator[dict[str, Any]]:
    """Run `waymark up` for the length of the block and yield its ready document."""
    with TemporaryDirectory(prefix="waymark-bench-") as name:
        folder = Path(name)
        ready = folder / "ready.json"
        command = [sys.executable, "-m", "waymark.cli", "up", "--broker", broker]
        command += ["--data-dir", str(folder / "data"), "--ready-file", str(ready), "--port-base", str(free_port())]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            async with asyncio.timeout(STARTED_WITHIN_S):
                while not ready.exists():
                    if process.poll() is not None:
                        raise RuntimeError(f"`waymark up` ended with code {process.returncode}")
                    await asyncio.sleep(0.1)
            yield orjson.loads(ready.read_bytes())
        finally:
            process.terminate()
            process.wait(timeout=60)


class Sender:
    """Sends at a rate and keeps when each measured touchpoint was accepted."""

    def __init__(self, session: aiohttp.ClientSession, stack: dict[str, Any], clock: SystemClock) -> None:
        self._session = session
        self._url = f"{stack['ingest']}/v1/touchpoints"
        self._headers = {"authorization": f"Bearer {stack['keys']['source']}", "content-type": "application/json"}
        self._clock = clock
        self.accepted_at: dict[str, datetime] = {}
        self.answers_s: list[float] = []

    async def run(self, rate: int, seconds: float) -> int:
        """Send for `seconds`; return how many were sent."""
        started = self._clock.monotonic()
        waiting: set[asyncio.Task[None]] = set()
        count = int(rate * seconds)
        every = round(1 / MEASURED_SHARE)
        for number in range(count):
            pause = started + number / rate - self._clock.monotonic()
            if pause > 0:
                await asyncio.sleep(pause)
            job = self._pair(number) if number % every == every - 1 else self._post(self._view(number))
            task = asyncio.create_task(job)
            waiting.add(task)
            task.add_done_callback(waiting.discard)
        await asyncio.gather(*waiting)
        return count

    async def _pair(self, number: int) -> None:
        await self._post(self._call(number, 1))
        await self._post(self._call(number, 2))
        self.accepted_at[f"lat-{number}"] = self._clock.now()

    async def _post(self, document: dict[str, Any]) -> None:
        began = self._clock.monotonic()
        async with self._session.post(self._url, data=orjson.dumps(document), headers=self._headers) as answer:
            if answer.status != 202:
                raise RuntimeError(f"ingest answered {answer.status}: {await answer.text()}")
        self.answers_s.append(self._clock.monotonic() - began)

    def _view(self, number: int) -> dict[str, Any]:
        return self._document(f"v-{number}", number, channel="web", kind="page_viewed")

    def _call(self, number: int, attempt: int) -> dict[str, Any]:
        about = {"direction": "inbound", "reason": "billing", "refs": {"case_id": f"lat-{number}"}}
        return self._document(f"c-{number}-{attempt}", number, channel="phone", kind="call_started", **about)

    def _document(self, name: str, number: int, **fields: Any) -> dict[str, Any]:
        at = self._clock.now().isoformat()
        return {"id": name, "occurred_at": at, "customer": {"customer_id": f"C-{number}"}, **fields}


async def measure(stack: dict[str, Any], rate: int, seconds: float) -> Latency:
    """Measure on a running stack at `rate` touchpoints a second."""
    clock = SystemClock()
    heard_at: dict[str, datetime] = {}

    def hear(alert: Alert) -> None:
        heard_at.setdefault(str(alert.issue.get("refs", {}).get("case_id")), alert.received_at)

    receiver = Receiver(clock, hear)
    connector = aiohttp.TCPConnector(limit=64)
    async with receiver.listening() as port, aiohttp.ClientSession(connector=connector) as session:
        endpoint = {"name": f"bench {port}", "kind": "standard_webhook", "catch_all": True}
        endpoint["url"] = f"http://127.0.0.1:{port}/alerts"
        headers = {"authorization": f"Bearer {stack['keys']['admin']}"}
        async with session.post(f"{stack['alerts']}/v1/endpoints", json=endpoint, headers=headers) as answer:
            receiver.trust((await answer.json())["secret"])
        sender = Sender(session, stack, clock)
        sent = await sender.run(rate, seconds)
        end = clock.monotonic() + HEARD_WITHIN_S
        while clock.monotonic() < end and not sender.accepted_at.keys() <= heard_at.keys():
            await asyncio.sleep(0.05)
    return _sum_up(rate, sent, sender, heard_at)


def _sum_up(rate: int, sent: int, sender: Sender, heard_at: dict[str, datetime]) -> Latency:
    warm = min(sender.accepted_at.values()) + timedelta(seconds=WARM_UP_S)
    measured = {name: at for name, at in sender.accepted_at.items() if at > warm}
    took = [(heard_at[name] - at) / timedelta(milliseconds=1) for name, at in measured.items() if name in heard_at]
    cuts = quantiles(took, n=100)
    answers = quantiles([1000 * s for s in sender.answers_s], n=100)
    return Latency(
        rate=rate,
        sent=sent,
        measured=len(measured),
        lost=len(sender.accepted_at.keys() - heard_at.keys()),
        p50_ms=median(took),
        p95_ms=cuts[94],
        p99_ms=cuts[98],
        ingest_p50_ms=answers[49],
        ingest_p99_ms=answers[98],
    )
