"""Writes the smallest workbooks that Excel would open: one XML a sheet, cells as they are given."""

import zipfile
from datetime import datetime, timedelta
from pathlib import Path
from xml.sax.saxutils import escape

STYLES = (
    '<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><numFmts count="1">'
    '<numFmt numFmtId="164" formatCode="[h]:mm:ss"/></numFmts><fonts count="1"><font/></fonts><fills count="1"><fill/>'
    '</fills><borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="3">'
    '<xf numFmtId="0"/><xf numFmtId="22" applyNumberFormat="1"/><xf numFmtId="164" applyNumberFormat="1"/></cellXfs>'
    "</styleSheet>"
)
MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - Excel knows no zones
Cell = str | int | float | bool | datetime | timedelta | None


def write_workbook(path: Path, sheets: dict[str, list[list[Cell]]], *, merged: str = "", hidden: str = "") -> Path:
    """Write sheets by their names; `merged` (`A2:A3`) is of the first, `hidden` names one."""
    names = list(sheets)
    state = {name: ' state="hidden"' if name == hidden else "" for name in names}
    listed = "".join(
        f'<sheet name="{name}" sheetId="{n}" r:id="rId{n}"{state[name]}/>' for n, name in enumerate(names, start=1)
    )
    relations = "".join(
        f'<Relationship Id="rId{n}" Type="{REL}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n in range(1, len(names) + 1)
    )
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="xml" ContentType="application/xml"/></Types>',
        )
        file.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r" Type="{REL}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        file.writestr("xl/workbook.xml", f'<workbook {MAIN} xmlns:r="{REL}"><sheets>{listed}</sheets></workbook>')
        file.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{PACKAGE}/relationships">{relations}'
            f'<Relationship Id="s" Type="{REL}/styles" Target="styles.xml"/></Relationships>',
        )
        file.writestr("xl/styles.xml", STYLES)
        for n, rows in enumerate(sheets.values(), start=1):
            merges = f'<mergeCells count="1"><mergeCell ref="{merged}"/></mergeCells>' if merged and n == 1 else ""
            file.writestr(f"xl/worksheets/sheet{n}.xml", f"<worksheet {MAIN}>{_data(rows)}{merges}</worksheet>")
    return path


def _data(rows: list[list[Cell]]) -> str:
    written = []
    for number, row in enumerate(rows, start=1):
        cells = [_cell(f"{chr(65 + column)}{number}", cell) for column, cell in enumerate(row) if cell is not None]
        written.append(f'<row r="{number}">{"".join(cells)}</row>')
    return f"<sheetData>{''.join(written)}</sheetData>"


def _cell(at: str, cell: Cell) -> str:
    if isinstance(cell, str) and cell.startswith("="):
        formula, _, value = cell[1:].partition(" -> ")
        return f'<c r="{at}"><f>{escape(formula)}</f><v>{value}</v></c>'
    if isinstance(cell, str):
        return f'<c r="{at}" t="inlineStr"><is><t xml:space="preserve">{escape(cell)}</t></is></c>'
    kind, value = "", repr(cell)
    if isinstance(cell, bool):
        kind, value = ' t="b"', str(int(cell))
    elif isinstance(cell, datetime):
        kind, value = ' s="1"', repr((cell - EPOCH) / timedelta(days=1))
    elif isinstance(cell, timedelta):
        kind, value = ' s="2"', repr(cell / timedelta(days=1))
    return f'<c r="{at}"{kind}><v>{value}</v></c>'
