"""What a check found: fine, worth a look, or broken, with the way to mend it."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How bad it is; only BROKEN makes the command fail."""

    FINE = "fine"
    LOOK = "look"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the report. `fix` says what to do, and is empty where nothing is to be done."""

    name: str
    verdict: Verdict
    detail: str
    fix: str = ""


def fine(name: str, detail: str) -> Finding:
    """All is well."""
    return Finding(name=name, verdict=Verdict.FINE, detail=detail)


def look(name: str, detail: str, fix: str) -> Finding:
    """It works, and somebody should look at it."""
    return Finding(name=name, verdict=Verdict.LOOK, detail=detail, fix=fix)


def broken(name: str, detail: str, fix: str) -> Finding:
    """It does not work."""
    return Finding(name=name, verdict=Verdict.BROKEN, detail=detail, fix=fix)
