"""Reads workbooks (Excel's .xlsx, .xlsm, .xlsb and .xls, OpenDocument's .ods) as rows of text, numbered as Excel does.

A whole number is written without `.0`, so that an id stays one; formulas give the values that were saved with them;
merged cells have their value each. Rows without anything in them are no rows.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from services.ingest.forms.mapping.faults import MappingFileError
from waymark.console import CommandError, say
from waymark.imports.mapping.column_names import distinct, plain, titles_before
from waymark.imports.mapping.mapping_file import AmbiguousError
from waymark.imports.mapping.values import NumberedRow

if TYPE_CHECKING:
    from collections.abc import Callable

    from python_calamine import CalamineSheet, CalamineWorkbook

_EXACT = 1e15
"""Excel keeps fifteen digits."""

Cell = int | float | str | bool | time | date | datetime | timedelta


def read_workbook(
    path: Path,
    *,
    sheet: str | int | None = None,
    skip_rows: int = 0,
    columns: Sequence[str] | None = None,
    on_columns: "Callable[[Sequence[str]], None]",
) -> Iterator[NumberedRow]:
    """Rows of one sheet: the one that is named (or numbered from 1), else the only one that `on_columns` takes.

    Raises:
        CommandError: it is no workbook, or protected by a password.
        MappingError: no sheet fits, or several do.
    """
    workbook = _open(path)
    given = [plain(name) for name in columns] if columns is not None else None
    chosen = _choose(workbook, sheet, skip_rows, given, on_columns)
    rows = _filled(chosen)
    for _ in range(skip_rows):
        next(rows, None)
    header = given if given is not None else _header(rows)
    try:
        on_columns(header)
    except MappingFileError as error:
        later = ([_text(cell) for cell in row] for row in rows)
        titles = titles_before(later, on_columns, MappingFileError, AmbiguousError) if given is None else None
        hint = [] if titles is None else [f"the header stands further down; say `skip_rows: {skip_rows + titles}`"]
        raise MappingFileError(hint + error.problems) from error
    for number, row in enumerate(rows, start=skip_rows + (given is None) + 1):
        cells = [_text(cell) for cell in row]
        if not any(cells):
            continue
        if any(cells[len(header) :]):
            wrong = say(
                f"{len(cells)} cells, the header has {len(header)}",
                f"칸이 {len(cells)}개인데 머리글은 {len(header)}개입니다",
            )
            yield NumberedRow(number=number, problem=wrong)
            continue
        cells += [""] * (len(header) - len(cells))
        yield NumberedRow(number=number, row=dict(zip(header, cells, strict=False)))


def _open(path: Path) -> "CalamineWorkbook":
    import python_calamine

    try:
        return python_calamine.CalamineWorkbook.from_path(path)
    except python_calamine.PasswordError as error:
        raise CommandError(
            say(f"{path.name} is protected by a password; save it without", f"{path.name} 파일에 암호가 걸려 있습니다"),
            exit_code=2,
        ) from error
    except python_calamine.CalamineError as error:
        raise CommandError(f"{path.name} is no workbook{_rather(path)}", exit_code=2) from error


def _rather(path: Path) -> str:
    """What stands in a file that is called a workbook; call centres' systems write such."""
    with path.open("rb") as file:
        head = file.read(512).lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    if not head:
        return ": it is empty"
    if head.startswith(b"<"):
        return ": it holds a web page; open it in a spreadsheet and save it as .xlsx"
    if head.startswith((b"pk", b"\xd0\xcf")):
        return ", or a damaged one"
    return "; if it holds text, say `format: csv` in the mapping"


def _choose(
    workbook: "CalamineWorkbook",
    wanted: str | int | None,
    skip_rows: int,
    given: Sequence[str] | None,
    on_columns: "Callable[[Sequence[str]], None]",
) -> "CalamineSheet":
    import python_calamine

    names = workbook.sheet_names
    if wanted is not None:
        name = names[wanted - 1] if isinstance(wanted, int) and 1 <= wanted <= len(names) else str(wanted)
        if name not in names:
            raise MappingFileError([f"there is no sheet {name!r}; there are: {', '.join(names)}"])
        return workbook.get_sheet_by_name(name)
    visible = python_calamine.SheetVisibleEnum.Visible
    sheets = [workbook.get_sheet_by_name(one.name) for one in workbook.sheets_metadata if one.visible == visible]
    full = [one for one in sheets if one.height]
    if not full:
        raise MappingFileError(["the workbook has no visible sheet with anything in it"])
    if len(full) == 1:
        return full[0]
    fitting = [one for one in full if given is None and not _complaint(one, skip_rows, on_columns)]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting and given is None and (found := _lower_header(full, skip_rows, on_columns)) is not None:
        name, rows = found
        raise MappingFileError(
            [f"say `sheet: {name}` and `skip_rows: {rows}`: there is the header with the columns wanted"]
        )
    said = ", ".join(one.name for one in fitting or full)
    why = "have the columns of the mapping" if fitting else "are there"
    raise MappingFileError([f"say `sheet:` in the mapping; these {why}: {said}"])


def _lower_header(
    sheets: "Sequence[CalamineSheet]", skip_rows: int, on_columns: "Callable[[Sequence[str]], None]"
) -> tuple[str, int] | None:
    """The only sheet with the columns of the mapping below titles, and how many rows stand above; None if unclear."""
    found = []
    for sheet in sheets:
        rows = _filled(sheet)
        for _ in range(skip_rows + 1):
            next(rows, None)
        later = ([_text(cell) for cell in row] for row in rows)
        titles = titles_before(later, on_columns, MappingFileError, AmbiguousError)
        found += [] if titles is None else [(sheet.name, skip_rows + titles)]
    return found[0] if len(found) == 1 else None


def _complaint(sheet: "CalamineSheet", skip_rows: int, on_columns: "Callable[[Sequence[str]], None]") -> bool:
    rows = _filled(sheet)
    for _ in range(skip_rows):
        next(rows, None)
    try:
        on_columns(_header(rows))
    except MappingFileError:
        return True
    return False


def _header(rows: Iterator[Sequence[Cell]]) -> list[str]:
    cells = [_text(cell) for cell in next(rows, [])]
    while cells and not cells[-1].strip():
        cells.pop()
    return distinct(cells)


def _filled(sheet: "CalamineSheet") -> Iterator[Sequence[Cell]]:
    """Rows from the sheet's first, with merged cells filled; the columns begin with the first that has anything."""
    left = sheet.start[1] if sheet.start else 0
    merged: dict[tuple[int, int], tuple[int, int]] = {}
    for (top, first), (bottom, last) in sheet.merged_cell_ranges or ():
        for number in range(top, bottom + 1):
            merged |= {(number, column): (top, first) for column in range(first, last + 1)}
    values: dict[tuple[int, int], Cell] = {}
    corners = set(merged.values())
    for number, cells in enumerate(sheet.iter_rows()):
        if not merged:
            yield cells
            continue
        row = list(cells)
        for index in range(len(row)):
            place = (number, index + left)
            if place in corners:
                values[place] = row[index]
            elif place in merged:
                row[index] = values.get(merged[place], "")
        yield row


def _text(cell: Cell) -> str:
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, int):
        return str(cell)
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < _EXACT else f"{cell:.15g}"
    if isinstance(cell, timedelta):
        return _clock(cell)
    return cell.isoformat(" ") if isinstance(cell, datetime) else cell.isoformat()


def _clock(span: timedelta) -> str:
    """As Excel shows a duration: hours, minutes and seconds."""
    sign = "-" if span < timedelta() else ""
    whole, micros = divmod(abs(span) // timedelta(microseconds=1), 1_000_000)
    minutes, seconds = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{micros:06}" if micros else ""
    return f"{sign}{hours}:{minutes:02}:{seconds:02}{fraction}"
