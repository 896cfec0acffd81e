"""What a check found: fine, worth a look, or broken, with the way to mend it."""

from dataclasses import dataclass
from enum import StrEnum


class FindingVerdict(StrEnum):
    """How bad a finding is; only BROKEN makes the command fail."""

    FINE = "fine"
    LOOK = "look"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorFinding:
    """One line of the report. `fix` says what to do, and is empty where there is nothing to do."""

    name: str
    verdict: FindingVerdict
    detail: str
    fix: str = ""


def fine(name: str, detail: str) -> DoctorFinding:
    """Return a finding that nothing is wrong."""
    return DoctorFinding(name=name, verdict=FindingVerdict.FINE, detail=detail)


def look(name: str, detail: str, fix: str) -> DoctorFinding:
    """Return a finding that somebody should look at."""
    return DoctorFinding(name=name, verdict=FindingVerdict.LOOK, detail=detail, fix=fix)


def broken(name: str, detail: str, fix: str) -> DoctorFinding:
    """Return a finding that something does not work."""
    return DoctorFinding(name=name, verdict=FindingVerdict.BROKEN, detail=detail, fix=fix)
