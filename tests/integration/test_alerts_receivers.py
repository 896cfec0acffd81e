"""What we tell receivers to do: the example and the snippets of the documentation accept what we sign, nothing else."""

import base64
import json
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import aiohttp
import pytest

from services.alerts.deliver.webhook.secret_store import SecretMaterial
from services.alerts.deliver.webhook.signing import WebhookSigner
from tests.waiting import until
from waymark.launchers.child_process import accepts, free_port

ROOT = Path(__file__).resolve().parents[2]
BODY = json.dumps(
    {"type": "issue.opened", "data": {"severity": "high", "title": {"ko": "두 번 전화"}}}, ensure_ascii=False
).encode()
SIGNER = WebhookSigner(("m" * 32,))


def a_secret(number: int = 1) -> SecretMaterial:
    return SIGNER.new_secret(
        secret_id=UUID(int=number), endpoint_id=UUID(int=1), material=bytes([number]) * 32, now=datetime.now(UTC)
    )


@pytest.fixture
async def receiver(tmp_path: Path) -> AsyncIterator[tuple[str, Path]]:
    """The example, running: its address and what it prints."""
    port, printed = free_port(), tmp_path / "printed"
    example = ROOT / "examples" / "receivers" / "verifying_receiver.py"
    with printed.open("wb") as output:
        process = subprocess.Popen(  # noqa: ASYNC220  starting it takes no time worth mentioning
            [sys.executable, str(example), SIGNER.reveal(a_secret()), str(port)],
            stdout=output,
            stderr=subprocess.DEVNULL,
        )
    try:
        await until(lambda: accepts(port))
        yield f"http://127.0.0.1:{port}", printed
    finally:
        process.kill()
        process.wait()


async def post(base: str, body: bytes, headers: dict[str, str]) -> int:
    async with aiohttp.ClientSession() as session, session.post(base, data=body, headers=headers) as response:
        return response.status


async def test_the_example_believes_what_we_signed_once(receiver: tuple[str, Path]) -> None:
    base, printed = receiver
    headers = SIGNER.headers("msg_1", BODY, [a_secret()], datetime.now(UTC))

    statuses = [await post(base, BODY, headers), await post(base, BODY, headers)]

    assert statuses == [204, 204]
    assert printed.read_text(encoding="utf-8").count("issue.opened") == 1


@pytest.mark.parametrize("case", ["changed", "another secret", "old", "unsigned", "nonsense"])
async def test_the_example_refuses_everything_else(receiver: tuple[str, Path], case: str) -> None:
    base, printed = receiver
    now = datetime.now(UTC)
    good = SIGNER.headers("msg_1", BODY, [a_secret()], now)
    headers = {
        "changed": good,
        "another secret": SIGNER.headers("msg_1", BODY, [a_secret(2)], now),
        "old": SIGNER.headers("msg_1", BODY, [a_secret()], now - timedelta(minutes=6)),
        "unsigned": {},
        "nonsense": good | {"webhook-signature": "nonsense"},
    }[case]

    status = await post(base, BODY + b" " if case == "changed" else BODY, headers)

    assert (status, printed.read_text()) == (401, "")


@pytest.fixture(scope="module")
def node_verifier(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The snippet of docs/alerts.md as a program: secret, headers and body on the command line."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs Node to run the documentation's snippet")
    text = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
    snippet = re.search(r"```js\n(.*?)```", text, re.DOTALL)
    assert snippet is not None
    program = tmp_path_factory.mktemp("node") / "verify.js"
    program.write_text(
        snippet[1] + "const [secret, headers, body] = process.argv.slice(2);\n"
        "try { console.log(verify(secret, JSON.parse(headers), Buffer.from(body, 'base64')).type); }\n"
        "catch (error) { console.log('refused'); }\n",
        encoding="utf-8",
    )
    return [node, str(program)]


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("good", "issue.opened"),
        ("rotated", "issue.opened"),
        ("changed", "refused"),
        ("another secret", "refused"),
        ("old", "refused"),
        ("unsigned", "refused"),
    ],
)
def test_the_snippet_for_node_verifies(node_verifier: list[str], case: str, said: str) -> None:
    now = datetime.now(UTC) - timedelta(minutes=6 if case == "old" else 0)
    signing = {"rotated": [a_secret(2), a_secret()], "another secret": [a_secret(2)]}.get(case, [a_secret()])
    headers = {} if case == "unsigned" else SIGNER.headers("msg_1", BODY, signing, now)
    body = base64.b64encode(BODY + (b" " if case == "changed" else b"")).decode()

    done = subprocess.run(
        [*node_verifier, SIGNER.reveal(a_secret()), json.dumps(headers), body],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == said
