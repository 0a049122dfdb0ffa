"""Landing files: columns by name, every line accounted for, bad input named with its line."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crime_jobs.model.landing import BadFile, Entry, parse, read_header
from crime_jobs.model.layouts import UnknownHeader, recognise

DATA = Path(__file__).resolve().parents[2] / "data"
WOMEN = (DATA / "42_District_wise_crimes_committed_against_women_2013.csv").read_bytes()
HEADER, *ROWS = WOMEN.decode().split("\r\n")


def women(*rows: str, end: str = "\r\n") -> bytes:
    return end.join([HEADER, *rows]).encode()


def bad(content: bytes) -> list[tuple[int, str]]:
    return [(e.line, e.reason or "") for e in parse("f.csv", content) if e.row_kind == "bad"]


def good(content: bytes) -> list[Entry]:
    return [e for e in parse("f.csv", content) if e.row_kind != "bad"]


@pytest.mark.parametrize("path", sorted(DATA.glob("*.csv")), ids=lambda p: p.stem[:30])
def test_the_real_files_have_no_bad_row(path: Path) -> None:
    content = path.read_bytes()
    entries = list(parse(path.name, content))
    assert not [e for e in entries if e.row_kind == "bad"]
    assert len({e.line for e in entries}) == content.count(b"\n") - 1


@given(st.permutations(range(10)))
@settings(max_examples=30)
def test_columns_are_found_by_name_not_by_position(order: list[int]) -> None:
    rows = list(csv.reader(io.StringIO(WOMEN.decode())))[:40]
    out = io.StringIO()
    csv.writer(out).writerows([row[i] for i in order] for row in rows)
    # Wholes and parts come in column order, so the entries are compared as sets.
    assert set(parse("f.csv", out.getvalue().encode())) == set(
        parse("f.csv", "\r\n".join([HEADER, *ROWS[:39]]).encode())
    )


@pytest.mark.parametrize(
    "content",
    [women(*ROWS[:5]), women(*ROWS[:5], end="\n"), women(*ROWS[:5], end="\r"), b"\xef\xbb\xbf" + women(*ROWS[:5]),
     women(*ROWS[:5], ""), women(*ROWS[:5], "", "", "")],
    ids=["crlf", "lf", "cr", "bom", "last line ended", "empty lines"],
)  # fmt: skip
def test_line_ends_and_marks_do_not_matter(content: bytes) -> None:
    assert good(content) == good(women(*ROWS[:5]))
    assert bad(content) == []


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("Andhra Pradesh,X,2013,1,2,3,4,5,6", "9 fields where the header has 10"),
        ("Andhra Pradesh,X,2013,1,2,3,4,5,6,7,8", "11 fields where the header has 10"),
        ("Andhra Pradesh,X,2013,one,2,3,4,5,6,7", "column 'Rape': 'one' is not a whole number"),
        ("Andhra Pradesh,X,2013,1.5,2,3,4,5,6,7", "column 'Rape': '1.5' is not a whole number"),
        ("Andhra Pradesh,X,2013,,2,3,4,5,6,7", "column 'Rape': '' is not a whole number"),
        ("Andhra Pradesh,X,2013,-1,2,3,4,5,6,7", "column 'Rape': -1 is negative"),
        ("Andhra Pradesh,X,2013,99999999,2,3,4,5,6,7", "column 'Rape': 99999999 is more than any count can be"),
        ("Andhra Pradesh,X,twenty,1,2,3,4,5,6,7", "'twenty' is not a year"),
        ("Andhra Pradesh,X,3013,1,2,3,4,5,6,7", "'3013' is not a year"),
        ("Atlantis,X,2013,1,2,3,4,5,6,7", "unknown state 'Atlantis'"),
        ("Andhra Pradesh,X,2014,1,2,3,4,5,6,7", "the year 2014 belongs to layout women_2014"),
        ("Andhra Pradesh,--,2013,1,2,3,4,5,6,7", "the district is empty"),
        ("Andhra Pradesh, ,2013,1,2,3,4,5,6,7", "the district is empty"),
        ('Andhra Pradesh,"X,2013,1,2,3,4,5,6,7', "not a row of CSV"),
    ],
)  # fmt: skip
def test_a_bad_row_is_kept_with_its_line_and_reason(row: str, reason: str) -> None:
    content = women(ROWS[0], row, ROWS[1])
    [(line, said)] = bad(content)
    assert line == 3
    assert said.startswith(reason)
    # The rows around it are whole, an unclosed quote does not swallow the rest of the file.
    assert {e.line for e in good(content)} == {2, 4}
    assert [e.record for e in parse("f.csv", content) if e.row_kind == "bad"] == [row]


def test_a_truncated_last_line_is_said_to_be_one() -> None:
    whole = women(*ROWS[:3])
    [(line, said)] = bad(whole[:-12])
    assert line == 4
    assert "the file ends in the middle of a line" in said


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b" \r\n ", "it is empty"),
        (women("Odisha,Caf\xe9,2013,1,2,3,4,5,6,7").decode().encode("latin-1"), "line 2: byte 0xE9 is not UTF-8"),
        (WOMEN.decode().encode("utf-16"), "it is UTF-16"),
        (b"\x89PNG\r\n\x1a\n", "line 1: byte 0x89 is not UTF-8"),
        (b"a,b,c\r\n1,2,3", "line 1: its header (a, b, c, …) is none of the layouts"),
        (women().replace(b"Rape", b"Rape,Witchcraft"), "unknown column 'Witchcraft'"),
        (women().replace(b"Rape,", b""), "missing column 'rape'"),
        (women().replace(b"Rape", b"Dowry Deaths"), "column twice 'Dowry Deaths'"),
    ],
)  # fmt: skip
def test_a_file_that_can_not_be_used_says_why(content: bytes, reason: str) -> None:
    with pytest.raises(BadFile) as caught:
        list(parse("f.csv", content))
    assert reason in str(caught.value)


@given(st.binary(max_size=200))
@settings(max_examples=300)
def test_any_bytes_are_rows_bad_rows_or_a_bad_file(junk: bytes) -> None:
    content = women(ROWS[0], ROWS[1]) + b"\r\n" + junk
    try:
        entries = list(parse("f.csv", content))
    except BadFile:
        return

    lines = re.split(r"\r\n|\n|\r", content.decode("utf-8-sig"))
    expected = {n for n, line in enumerate(lines[1:], start=2) if line.strip()}
    assert {e.line for e in entries} == expected


@given(st.lists(st.text(max_size=20), min_size=1, max_size=12))
def test_any_header_is_recognised_or_refused(columns: list[str]) -> None:
    try:
        header = recognise(columns)
    except UnknownHeader:
        return
    assert header.width == len(columns)


def test_the_long_layout_takes_codes_and_source_names() -> None:
    content = (
        b"state,district,year,head,cases\n"
        b"ODISHA,Puri,2013,MURDER,5\n"
        b"Odisha,Puri,2014,riots_communal,2\n"
        b"Odisha,Puri,2014,Riots,2\n"
        b"Odisha,Puri,2013,Riots_Communal,2\n"
        b"Odisha,Total,2013,MURDER,5\n"
    )
    found = [(e.line, e.row_kind, e.head, e.leaf, e.reason) for e in parse("f.csv", content)]
    assert found == [
        (2, "district", "murder", True, None),
        (3, "district", "riots_communal", True, None),
        (4, "district", "riots", False, None),
        (5, "bad", None, False, "unknown crime head 'Riots_Communal'"),
        (6, "total", "murder", True, None),
    ]


def test_a_header_alone_is_a_file_without_rows() -> None:
    assert list(parse("f.csv", HEADER.encode())) == []
    assert read_header(HEADER.encode()).layout == "women_2001"
