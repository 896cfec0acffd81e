"""Debian's Alertmanager as a process of its own: its configuration, its alerts and silences, and what it says of them.

The package looks for its templates in a folder of the system. A copy of the program looks beside itself, so nothing is
installed and nothing of the system is changed.
"""

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from tests.fixtures.free_ports import free_block
from tests.waiting import until

VARIABLE = "ALERTMANAGER_TREE"
_TEMPLATES = b"/usr/share/prometheus/alertmanager"

AlertLabels = Mapping[str, str]


def prepare(folder: Path) -> Path:
    """Copy the program into `folder`, with its templates beside it; return its path."""
    tree = Path(os.environ.get(VARIABLE, ""))
    program = tree / "usr/bin/prometheus-alertmanager"
    assert program.is_file(), f"{VARIABLE} names no unpacked package: {tree}"
    beside = b"./" * (len(_TEMPLATES) // 2) + b"/" * (len(_TEMPLATES) % 2)
    copy = folder / "alertmanager"
    copy.write_bytes(re.sub(_TEMPLATES + rb"(?!/)", beside, program.read_bytes()))
    copy.chmod(0o755)
    for template in (tree / "usr/share/prometheus/alertmanager").glob("*.tmpl"):
        shutil.copy(template, folder)
    return copy


@dataclass
class Alertmanager:
    """A client of one running Alertmanager."""

    base: str
    config: Path
    session: aiohttp.ClientSession

    async def load(self, document: Mapping[str, Any]) -> None:
        """Have it read a configuration."""
        self.config.write_text(yaml.safe_dump(dict(document), sort_keys=False), encoding="utf-8")
        async with self.session.post(f"{self.base}/-/reload") as response:
            assert response.status == 200, (await response.text(), self.config.read_text(encoding="utf-8"))

    async def fire(self, alerts: Sequence[AlertLabels], starts: datetime, ends: datetime | None = None) -> None:
        """Send alerts that began at `starts`; resolved ones name their end."""
        times = {"startsAt": starts.isoformat()} | ({"endsAt": ends.isoformat()} if ends else {})
        await self._post("alerts", [{"labels": dict(labels)} | times for labels in alerts])

    async def silence(self, matchers: Sequence[Mapping[str, Any]], now: datetime) -> str:
        """Add a silence of an hour and return its id."""
        body = {
            "matchers": list(matchers),
            "startsAt": now.isoformat(),
            "endsAt": (now + timedelta(hours=1)).isoformat(),
            "createdBy": "test",
            "comment": "test",
        }
        return str((await self._post("silences", body))["silenceID"])

    async def expire(self, silence: str) -> None:
        """End a silence."""
        async with self.session.delete(f"{self.base}/api/v2/silence/{silence}") as response:
            assert response.status == 200, await response.text()

    async def alerts(self, run: str) -> list[dict[str, Any]]:
        """Return the alerts with the label `run`."""
        return await self._get("alerts", run)

    async def groups(self, run: str) -> list[dict[str, Any]]:
        """Return the groups that hold alerts with the label `run`."""
        return await self._get("alerts/groups", run)

    async def _get(self, what: str, run: str) -> list[dict[str, Any]]:
        params = {"filter": f'run="{run}"'}
        async with self.session.get(f"{self.base}/api/v2/{what}", params=params) as response:
            assert response.status == 200, await response.text()
            return list(await response.json())

    async def _post(self, what: str, body: object) -> Any:
        async with self.session.post(f"{self.base}/api/v2/{what}", json=body) as response:
            assert response.status == 200, (await response.text(), body)
            return await response.json(content_type=None)


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Alertmanager]:
    """Run one Alertmanager for the length of the block."""
    program = prepare(folder)
    config = folder / "alertmanager.yml"
    config.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n", encoding="utf-8")
    address = f"127.0.0.1:{free_block()}"
    with (folder / "alertmanager.out").open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(program, f"--config.file={config}", f"--storage.path={folder / 'data'}"),
            *("--cluster.listen-address=", f"--web.listen-address={address}"),
            cwd=folder,
            stdout=output,
            stderr=output,
        )
        try:
            async with aiohttp.ClientSession() as session:
                client = Alertmanager(base=f"http://{address}", config=config, session=session)
                await until(lambda: _answers(client), within=30)
                yield client
        finally:
            process.terminate()
            await process.wait()


async def _answers(client: Alertmanager) -> bool:
    try:
        async with client.session.get(f"{client.base}/-/ready") as response:
            return response.status == 200
    except aiohttp.ClientConnectorError:
        return False
