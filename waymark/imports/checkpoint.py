"""Remembers how far an import came, so that the same command resumes it. Stable ids make a repeat harmless anyway."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import orjson

from services.runtime.credentials.api_keys import parse


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportCounts:
    """The results of the touchpoints so far. `sent` is the position in event order; `reasons` counts rejections."""

    sent: int = 0
    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    def reject(self, code: str, count: int = 1) -> "ImportCounts":
        """One more (or some more) rejected for a reason."""
        reasons = {**self.reasons, code: self.reasons.get(code, 0) + count}
        return replace(self, rejected=self.rejected + count, reasons=reasons)


class ImportCheckpoint:
    """One import of one file by one mapping into one Waymark, remembered in two files.

    One has the tally, the other a byte for each touchpoint sent, in event order: its status.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{name}.json"
        self._statuses = folder / f"{name}.fates"

    def load(self) -> ImportCounts | None:
        """What was done before, or None when this is the first time (or the note is spoilt)."""
        try:
            tally = ImportCounts(**orjson.loads(self.path.read_bytes()))
        except (OSError, orjson.JSONDecodeError, TypeError):
            return None
        return tally if len(self.statuses(tally.sent)) == tally.sent else None

    def statuses(self, sent: int) -> bytes:
        """The statuses of the touchpoints that were sent."""
        try:
            return self._statuses.read_bytes()[:sent]
        except OSError:
            return b""

    def save(self, tally: ImportCounts, statuses: bytes) -> None:
        """Note how far it is, whole or not at all; `statuses` are those of the batch that was sent last."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._statuses.open("r+b" if self._statuses.exists() else "w+b") as file:
            file.seek(tally.sent - len(statuses))  # over what a batch left that was sent and not noted
            file.write(statuses)
        fresh = self.path.with_suffix(".new")
        fresh.write_bytes(orjson.dumps(asdict(tally)))
        fresh.replace(self.path)

    def clear(self) -> None:
        """Forget: it is done, or starts again."""
        self.path.unlink(missing_ok=True)
        self._statuses.unlink(missing_ok=True)


def name_of(files: Sequence[Path], target: str, key: str) -> str:
    """A name for file contents, address and key together: with any of them changed it is another import."""
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    presented = parse(key)
    digest.update(f"{target}\0{presented.key_id if presented else ''}".encode())
    return digest.hexdigest()[:20]
