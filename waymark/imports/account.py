"""Counts an import: the status of each row, and the problems grouped by kind and column."""

from collections import Counter
from dataclasses import dataclass
from enum import IntEnum

from schemas.identifiers import spelling
from waymark.console import say
from waymark.imports.mapping.recipe import Document, LineProblem, year_problem

MOST_GROUPS = 1000
"""Of distinct problems; what comes after that is counted together."""


class RowStatus(IntEnum):
    """The result of a row: the worst of its touchpoints' results. A row that no mapping entry wants is skipped."""

    SKIPPED = 0
    WAITING = 1
    DUPLICATE = 2
    ACCEPTED = 3
    REJECTED = 4


class RowStatuses:
    """Keeps one status for every row, so that the counts add up to the rows read."""

    def __init__(self) -> None:
        self._statuses = bytearray()

    def read(self, *, touchpoints: int, problems: int) -> int:
        """Count the next row; return its number, from 0."""
        self._statuses.append(
            RowStatus.REJECTED if problems else RowStatus.WAITING if touchpoints else RowStatus.SKIPPED
        )
        return len(self._statuses) - 1

    def settle(self, row: int, status: int) -> None:
        """Note the result of one touchpoint of a row."""
        self._statuses[row] = max(self._statuses[row], status)

    def counts(self) -> dict[str, int]:
        """Return `read`, and how many of those were accepted, duplicate, rejected and skipped."""
        named = {
            status.name.lower(): self._statuses.count(status)
            for status in (RowStatus.ACCEPTED, RowStatus.DUPLICATE, RowStatus.REJECTED)
        }
        return {"read": len(self._statuses), **named, "skipped": self._statuses.count(RowStatus.SKIPPED)}


@dataclass(slots=True)
class ProblemGroup:
    """Problems that are the same but for the line; `years` holds the first and the last year that was not taken."""

    first: LineProblem
    count: int = 0
    years: tuple[int, int] | None = None

    @property
    def message(self) -> str:
        """What is wrong with all of them."""
        if self.years is None:
            return self.first.message
        low, high = self.years
        return year_problem(str(low) if low == high else f"{low}–{high}")


class ProblemGroups:
    """Counts problems by code, field, column and message."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str, str, str], ProblemGroup] = {}

    def __call__(self, problem: LineProblem) -> None:
        """Count one."""
        said = "" if problem.year is not None else problem.message
        key = (problem.code, problem.field, problem.column, said)
        if key not in self._groups and len(self._groups) >= MOST_GROUPS:
            key = (problem.code, "", "", "")
        group = self._groups.setdefault(key, ProblemGroup(problem))
        group.count += 1
        if problem.year is not None:
            low, high = group.years or (problem.year, problem.year)
            group.years = (min(low, problem.year), max(high, problem.year))

    def worst(self) -> list[ProblemGroup]:
        """Return the groups, the largest first."""
        return sorted(self._groups.values(), key=lambda group: (-group.count, group.first.line))


class PlaceholderIdentifiers:
    """Counts identifiers that name nobody, as ingest will find them, and the touchpoints that have no other identifier.

    `region` applies to phone numbers without a country code.
    """

    def __init__(self, region: str) -> None:
        self._region = region
        self._dropped: Counter[tuple[str, spelling.DropReason]] = Counter()
        self._alone = 0

    def __call__(self, document: Document) -> None:
        """Examine a touchpoint that is valid by its schema."""
        usable = False
        for type_, said in document["customer"].items():
            value = said["value"] if isinstance(said, dict) else said
            found = spelling.identifier(type_, value, self._region)
            if isinstance(found, spelling.DropReason):
                self._dropped[type_, found] += 1
            else:
                usable = True
        self._alone += not usable

    def warnings(self) -> list[str]:
        """Return one warning for each type and reason, the most frequent first."""
        said = [self._said(type_, why, count) for (type_, why), count in self._dropped.most_common()]
        if self._alone:
            said.append(
                say(
                    f"{self._alone:,} of the touchpoints have no identifier that names anybody: ingest refuses them",
                    f"접점 {self._alone:,}개에는 고객을 가리키는 식별자가 없어 ingest가 거절합니다",
                )
            )
        return said

    def _said(self, type_: str, why: spelling.DropReason, count: int) -> str:
        field, region = f"customer.{type_}", self._region
        if why is spelling.DropReason.BLOCKED:
            return say(
                f"`{field}` names nobody in {count:,} of the touchpoints: a placeholder, or masked like 김**",
                f"`{field}` 값 {count:,}개는 아무도 가리키지 않습니다: 자리 채움 값이거나 김**처럼 가린 값입니다",
            )
        if why is spelling.DropReason.SERVICE_NUMBER:
            return say(
                f"`{field}` is a company's number in {count:,} of the touchpoints, as 1588-0000 is: it names nobody",
                f"`{field}` 값 {count:,}개는 1588-0000 같은 대표번호라 아무도 가리키지 않습니다",
            )
        hint = (
            f" (without a country code it is one of {region}: WAYMARK_INGEST_PHONE_REGION)" if type_ == "phone" else ""
        )
        ko_hint = (
            f"(국가 번호가 없으면 {region} 번호로 봅니다: WAYMARK_INGEST_PHONE_REGION)" if type_ == "phone" else ""
        )
        return say(
            f"`{field}` cannot be read as such in {count:,} of the touchpoints{hint}",
            f"`{field}` 값 {count:,}개는 읽을 수 없습니다{ko_hint}",
        )
