"""The report at the end of `waymark import`: the results of the rows, and the problems by column."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from waymark.console import err, out, print_json, say

if TYPE_CHECKING:
    from waymark.imports.account import ProblemGroup, ProblemGroups
    from waymark.imports.mapping.recipe import Document, LineProblem
    from waymark.imports.run import ImportFile, ImportResult, ProblemFile

SHOWN = 3
LOOKED_AT = 20
GROUPS = 10


class DryRunSummary:
    """Collects and shows the result of a dry run."""

    def __init__(self, source: "ImportFile", region: str) -> None:
        from waymark.imports.account import PlaceholderIdentifiers, ProblemGroups, RowStatuses

        self._source = source
        self._rows = RowStatuses()
        self._groups = ProblemGroups()
        self._placeholders = PlaceholderIdentifiers(region)
        self._shown: list[Document] = []
        self._problems: list[LineProblem] = []
        self._warnings: list[str] = []
        self._touchpoints = 0
        self.bad_rows = 0

    def take(self, documents: "Sequence[Document]", problems: "Sequence[LineProblem]") -> None:
        """Take what became of a row."""
        self._rows.read(touchpoints=len(documents), problems=len(problems))
        self._shown += documents[: max(SHOWN - len(self._shown), 0)]
        self._problems += problems[: max(LOOKED_AT - len(self._problems), 0)]
        for problem in problems:
            self._groups(problem)
        for document in documents:
            self._placeholders(document)
        self._touchpoints += len(documents)
        self.bad_rows += bool(problems)

    def warn(self, text: str) -> None:
        """Keep a warning for the report."""
        self._warnings.append(text)

    def show(self, *, as_json: bool) -> None:
        """Show everything that was collected."""
        counts = self._rows.counts()
        self._warnings += self._placeholders.warnings()
        if as_json:
            listed = [{name: getattr(problem, name) for name in problem.__slots__} for problem in self._problems]
            document = {
                "rows": {name: counts[name] for name in ("read", "rejected", "skipped")},
                "touchpoints": self._touchpoints,
                "first": self._shown,
                "lines_with_problems": self.bad_rows,
                "problems": listed,
                "problems_by_column": [_listed(group) for group in self._groups.worst()],
                "warnings": self._warnings,
            }
            print_json(document)
            return
        for one in self._shown:
            out.print_json(data=one, ensure_ascii=False)
        for text in self._warnings:
            complain(text)
        _show_groups(self._groups, self._source)
        out.print(
            say(
                f"{counts['read']} rows: {self._touchpoints} touchpoints, {self.bad_rows} lines with problems, "
                f"{counts['skipped']} skipped; nothing was sent",
                f"행 {counts['read']}개: 접점 {self._touchpoints}개, 문제 있는 줄 {self.bad_rows}개, "
                f"건너뛴 행 {counts['skipped']}개. 전송하지 않음",
            ),
            highlight=False,
        )


def sum_up(
    source: "ImportFile", result: "ImportResult", problems: "ProblemFile", seconds: float, *, as_json: bool
) -> None:
    """Show the results of a file. The rows read are those accepted, duplicate, rejected and skipped, together."""
    tally, counts = result.tally, result.rows.counts()
    if as_json:
        document: dict[str, Any] = {
            "file": str(source.path),
            "rows": counts,
            "touchpoints": tally.sent,
            "accepted": tally.accepted,
            "duplicate": tally.duplicate,
            "rejected": tally.rejected,
            "skipped": counts["skipped"],
            "reasons": tally.reasons,
            "repeated_ids": result.repeats.count,
            "warnings": result.warnings,
            "problems_by_column": [_listed(group) for group in problems.groups.worst()],
            "rejected_file": str(problems.path) if tally.rejected else None,
            "seconds": round(seconds, 3),
        }
        print_json(document)
        return
    _show_groups(problems.groups, source)
    rate = f"{tally.sent / seconds:,.0f}/s" if seconds else ""
    _line(say("rows read", "읽은 행"), counts["read"], "bold")
    _line(say("accepted", "접수"), counts["accepted"], "green")
    _line(say("duplicate", "중복"), counts["duplicate"])
    _line(say("rejected", "거절"), counts["rejected"], "red" if counts["rejected"] else "dim")
    for code, count in sorted(tally.reasons.items(), key=lambda item: -item[1]):
        out.print(f"    {code:<24} {count:>8,}", highlight=False)
    _line(say("skipped", "건너뜀"), counts["skipped"])
    _line(say("touchpoints sent", "보낸 접점"), tally.sent, after=rate)
    if tally.rejected:
        out.print(say(f"each with its line: {problems.path}", f"줄 번호와 이유: {problems.path}"), highlight=False)


def complain(text: str) -> None:
    """Print a warning on standard error."""
    err.print(f"[yellow]{say('note', '알림')}[/]", end=" ")
    err.print(text, markup=False, highlight=False)


def _line(name: str, count: int, style: str = "", *, after: str = "") -> None:
    from rich.cells import cell_len

    padded = name + " " * max(18 - cell_len(name), 1)
    out.print(padded, style=style or None, end="", highlight=False)
    out.print(f"{count:>10,}   {after}".rstrip(), highlight=False)


def _show_groups(groups: "ProblemGroups", source: "ImportFile") -> None:
    worst = groups.worst()
    for group in worst[:GROUPS]:
        more = say(f" and {group.count - 1:,} more", f" 외 {group.count - 1:,}개") if group.count > 1 else ""
        err.print(f"[red]{say('line', '줄')} {group.first.line}{more}[/] {group.first.code}", highlight=False, end=" ")
        where = f"{group.first.field}: " if group.first.field else ""
        err.print(f"{where}{group.message}{_cure(group, source)}", markup=False, highlight=False)
    if len(worst) > GROUPS:
        err.print(
            say(f"… and {len(worst) - GROUPS} other kinds", f"… 그 밖에 {len(worst) - GROUPS}가지"), highlight=False
        )


def _cure(group: "ProblemGroup", source: "ImportFile") -> str:
    """How to bring times of another age to ours: by so many years that none lies ahead."""
    if group.years is None or source.mapping is None or group.years[1] >= datetime.now().astimezone().year:
        return ""
    years = datetime.now().astimezone().year - group.years[1] - 1
    return say(
        f". If the file's times were moved, say in the mapping `shift: {years}y`",
        f". 파일의 시각이 옮겨진 것이라면 대응 파일에 `shift: {years}y`를 적으세요",
    )


def _listed(group: "ProblemGroup") -> dict[str, Any]:
    first = group.first
    return {
        "code": first.code,
        "field": first.field,
        "column": first.column,
        "message": group.message,
        "count": group.count,
        "first_line": first.line,
    }
