"""XES as process mining tools write it becomes rows, and a broken file says where it breaks."""

import gzip
from pathlib import Path

import pytest

from waymark.imports.formats.rows import format_of, xes_rows
from waymark.imports.formats.xes import XesError, read_events
from waymark.imports.mapping.mapping_file import load
from waymark.imports.run import ImportFile, make

EXAMPLE = Path(__file__).parents[3] / "examples" / "xes"

LOG = """<?xml version="1.0" encoding="UTF-8"?>
<log xmlns="http://www.xes-standard.org/">
  <global scope="event"><string key="aside" value="x"/></global>
  <trace>
    <string key="concept:name" value="T-1"/>
    <event><string key="concept:name" value="전화"/>
      <container key="who"><id key="phone" value="010"/></container></event>
    <event><boolean key="ok" value="true"/></event>
  </trace>
  <trace><event><int key="n" value="3"/></event></trace>
</log>
"""


def test_events_are_rows_with_what_their_trace_says(tmp_path: Path) -> None:
    path = tmp_path / "a.xes"
    path.write_text(LOG)
    assert list(read_events(path)) == [
        (6, {"case:concept:name": "T-1", "event:number": "1", "concept:name": "전화", "who.phone": "010"}),
        (8, {"case:concept:name": "T-1", "event:number": "2", "ok": "true"}),
        (10, {"event:number": "1", "n": "3"}),
    ]


def test_a_compressed_log_is_unpacked_and_known_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "a.xes.gz"
    path.write_bytes(gzip.compress(LOG.encode()))
    assert format_of(path) == "xes"
    assert len(list(read_events(path))) == 3


def test_what_an_event_lacks_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "a.xes"
    path.write_text(LOG)
    rows = [line.row for line in xes_rows(path, frozenset({"n"}))]
    assert [row["n"] for row in rows if row is not None] == ["", "", "3"]


def test_a_file_that_ends_too_early_gives_what_it_has_and_says_where(tmp_path: Path) -> None:
    path = tmp_path / "a.xes"
    path.write_text(LOG[: LOG.index("<event><boolean") + 10])
    *rows, last = xes_rows(path, frozenset())
    assert [line.number for line in rows] == [6]
    assert (last.row, last.number) == (None, 8)
    assert last.problem.startswith("not XES")


def test_a_compressed_file_that_is_not_whole_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.xes.gz"
    path.write_bytes(gzip.compress(LOG.encode())[:-20])
    with pytest.raises(XesError, match="not whole"):
        list(read_events(path))


def test_entities_cannot_fetch_files_or_grow_without_end(tmp_path: Path) -> None:
    path = tmp_path / "a.xes"
    path.write_text(
        '<!DOCTYPE log [<!ENTITY f SYSTEM "file:///etc/passwd">]><log><trace><event>&f;</event></trace></log>'
    )
    with pytest.raises(XesError, match="document type"):
        list(read_events(path))


def test_the_example_becomes_touchpoints() -> None:
    source = ImportFile(path=EXAMPLE / "repairs.xes", mapping=load(EXAMPLE / "mapping.yaml"))
    made = [document for _, (documents, problems) in make(source) for document in documents if not problems]
    assert [(one["id"], one["kind"]) for one in made] == [
        ("R-1001/1", "call_ended"),
        ("R-1001/2", "case_worked"),
        ("R-1001/3", "call_ended"),
        ("R-1001/4", "case_resolved"),
    ]


def test_keys_that_stand_twice_are_numbered_and_attributes_within_attributes_are_reached(tmp_path: Path) -> None:
    path = tmp_path / "a.xes"
    path.write_text(
        '<log><trace><event><string key="call" value="c-1"><int key="wait" value="3"/></string>'
        '<list key="tags"><values>'
        '<string key="tag" value="a"/><string key="tag" value="b"/></values></list></event></trace></log>'
    )
    [(_, row)] = read_events(path)
    assert row == {"event:number": "1", "call": "c-1", "call.wait": "3", "tags.tag": "a", "tags.tag (2)": "b"}
