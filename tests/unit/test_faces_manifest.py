"""The manifest: what is right is read as it stands, what is wrong is told by line and column and never quoted."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crime_jobs.errors import BadInput
from crime_jobs.faces.manifest import COLUMNS, KEY, MOST_OF_A_PERSON, Enrolment, parse

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HEADER = ",".join(COLUMNS)
#: Stands wherever a person could: it must be in no message.
CANARY = "canary-7f3a"
GOOD = f"a/{CANARY}.jpg,MP/1/{CANARY},family {CANARY},complaint {CANARY},2027-01-01"


def manifest(*lines: str, header: str = HEADER) -> bytes:
    return "\n".join([header, *lines]).encode()


def refusal(content: bytes) -> str:
    with pytest.raises(BadInput) as caught:
        parse(content, NOW)
    assert caught.value.exit_code == 3
    said = f"{caught.value} {caught.value.__cause__} {caught.value.__context__}"
    assert CANARY not in said
    return caught.value.message


def test_a_line_is_read_as_it_stands_whatever_the_order_of_the_columns() -> None:
    header = "expires,person_key,photograph,legal_basis,source"
    (found,) = parse(manifest('2026-11-24,MP/1,a/b.jpg,"basis, with comma",Ärzte', header=header), NOW)
    assert found == Enrolment(2, "a/b.jpg", "MP/1", "Ärzte", "basis, with comma", date(2026, 11, 24))


def test_a_mark_at_the_beginning_windows_lines_and_empty_lines_do_no_harm() -> None:
    content = b"\xef\xbb\xbf" + f"{HEADER}\r\n\r\na.jpg,K1,s,b,2027-01-01\r\n".encode()
    assert [one.line for one in parse(content, NOW)] == [3]


def test_the_last_day_is_a_day() -> None:
    today, yesterday = NOW.date(), NOW.date() - timedelta(1)
    assert parse(manifest(f"a.jpg,K1,s,b,{today}"), NOW)
    assert "line 2: expires is in the past" in refusal(manifest(f"a.jpg,K1,s,b,{yesterday}"))


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (f"a.jpg,{CANARY},s,b", "it has 4 fields, not 5"),
        (f"a.jpg,{CANARY},s,b,2027-01-01,x", "it has 6 fields, not 5"),
        (f"a.jpg,{CANARY},s,,2027-01-01", "legal_basis is empty"),
        (f"a.jpg,{CANARY},  ,b,2027-01-01", "source is empty"),
        (f"a.jpg,{CANARY} ,s,b,2027-01-01", "person_key has spaces around it"),
        (f'a.jpg,"{CANARY}\nX",s,b,2027-01-01', "person_key has characters that can't be printed"),
        (f"a.jpg,{CANARY};rm -rf,s,b,2027-01-01", "person_key has other characters"),
        (f"a.jpg,{CANARY}/,s,b,2027-01-01", "person_key has other characters"),
        (f"a.jpg,{CANARY},s,{'b' * 501},2027-01-01", "legal_basis has more than 500 characters"),
        (f"a.jpg,{CANARY},s,b,01-01-2027", "expires is not a day"),
        (f"a.jpg,{CANARY},s,b,2027-02-30", "expires is not a day"),
        (f"a.jpg,{CANARY},s,b,20270101", "expires is not a day"),
        (f"/{CANARY}.jpg,K,s,b,2027-01-01", "photograph is not a path below"),
        (f"../{CANARY}.jpg,K,s,b,2027-01-01", "photograph is not a path below"),
        (f"a/../../{CANARY}.jpg,K,s,b,2027-01-01", "photograph is not a path below"),
        (f"a//{CANARY}.jpg,K,s,b,2027-01-01", "photograph is not a path below"),
        (f"s3://other/{CANARY}.jpg,K,s,b,2027-01-01", "photograph is not a path below"),
        (f"..\\{CANARY}.jpg,K,s,b,2027-01-01", "photograph is not a path below"),
        (f"C:/{CANARY}.jpg,K,s,b,2027-01-01", "photograph is not a path below"),
        (f"{CANARY}{'x' * 900},K,s,b,2027-01-01", "photograph has more than 900 bytes"),
    ],
)
def test_what_is_wrong_with_a_line_is_told_by_its_number_and_column(line: str, what: str) -> None:
    said = refusal(manifest("ok.jpg,OK,s,b,2027-01-01", line))
    assert f"line 3: {what}" in said
    assert "nothing was enrolled" in said


def test_words_may_be_in_any_script_and_hide_nothing() -> None:
    malayalam = "\u0d05\u0d35\u0d28\u0d4d\u200d"  # its last letter is written with a joiner
    (found,) = parse(manifest(f"a.jpg,K1,{malayalam},{malayalam},2027-01-01"), NOW)
    assert (found.source, found.legal_basis) == (malayalam, malayalam)
    assert "source has characters that can't be printed" in refusal(
        manifest("a.jpg,K1,fam\u202eyli,b,2027-01-01")
    )


def test_lines_are_held_against_each_other() -> None:
    said = refusal(
        manifest(
            GOOD,
            GOOD,
            GOOD.replace("a/", "b/").replace("complaint", "warrant"),
            GOOD.replace("a/", "c/").replace("2027", "2028"),
        )
    )
    assert "line 3: the same photograph as line 2" in said
    assert "line 4: the person of line 2, with another legal_basis" in said
    assert "line 5: the person of line 2, with another expires" in said


def test_a_person_may_have_many_photographs_but_not_any_number() -> None:
    lines = [f"{n}.jpg,K1,source {n},b,2027-01-01" for n in range(MOST_OF_A_PERSON + 1)]
    assert len(parse(manifest(*lines[:-1]), NOW)) == MOST_OF_A_PERSON
    assert f"line {MOST_OF_A_PERSON + 2}: " in refusal(manifest(*lines))


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is empty"),
        (HEADER.encode(), "a header and no line"),
        (GOOD.encode(), "header: column 1, 2, 3, 4, 5 is none of"),  # no header: people in the first line
        (manifest(GOOD, header=f"{HEADER},{CANARY}"), "header: column 6 is none of"),
        (manifest(GOOD, header=HEADER.replace("expires", "source")), "column source comes twice"),
        (manifest(GOOD, header=HEADER.replace(",expires", "")), "column expires is missing"),
        (manifest(GOOD, f'b.jpg,"{CANARY}'), "is no CSV: line 3"),
        (manifest(GOOD, f'b.jpg,"{CANARY}"x,s,b,2027-01-01'), "is no CSV: line 3"),
        (manifest(GOOD) + f"\nb\xff.jpg,{CANARY}".encode("latin-1"), "is not UTF-8: line 3"),
        (b"PK\x03\x04" + CANARY.encode(), "header: column 1 is none of"),
        (f"<html>{CANARY}</html>".encode(), "header: column 1 is none of"),
    ],
)
def test_what_is_no_manifest_is_refused(content: bytes, what: str) -> None:
    assert what in refusal(content)


def test_many_faults_are_counted_not_listed_for_ever() -> None:
    said = refusal(manifest(*[f"{n}.jpg,K{n},s,,2027-01-01" for n in range(100)]))
    assert said.count("legal_basis is empty") == 20
    assert "and 80 more" in said


texts = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=30).map(str.strip)
keys = st.from_regex(KEY, fullmatch=True)
names = st.lists(
    st.from_regex(r"[a-z0-9_ üé]{0,10}[a-z]", fullmatch=True).map(str.strip), min_size=1, max_size=3
).map("/".join)
days = st.dates(NOW.date(), date(2999, 1, 1))


@given(st.dictionaries(names, st.tuples(keys, texts, texts, days), min_size=1, max_size=8))
def test_whatever_can_be_written_is_read_back(rows: dict[str, tuple[str, str, str, date]]) -> None:
    first: dict[str, tuple[str, str, str, date]] = {}
    rows = {name: (row[0], row[1], *first.setdefault(row[0], row)[2:]) for name, row in rows.items()}
    target = io.StringIO()
    writer = csv.writer(target)
    writer.writerow(COLUMNS)
    writer.writerows((name, *row) for name, row in rows.items())
    found = parse(target.getvalue().encode(), NOW)
    assert [(one.photograph, one.person_key, one.source, one.legal_basis, one.expires) for one in found] == [
        (name, *row) for name, row in rows.items()
    ]


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda t: f"{HEADER}\n{t}".encode())))
def test_whatever_comes_is_taken_or_refused_and_a_line_that_is_taken_keeps_the_rules(content: bytes) -> None:
    try:
        found = parse(content, NOW)
    except BadInput:
        return
    for one in found:
        assert KEY.fullmatch(one.person_key)
        assert ".." not in one.photograph.split("/")
        assert one.legal_basis.strip()
        assert one.expires >= NOW.date()


@given(st.text(st.characters(codec="utf-8"), min_size=12, max_size=40), st.sampled_from(range(5)))
def test_no_value_is_ever_in_a_message(value: str, at: int) -> None:
    cells = ["a.jpg", "K1", "s", "b", "2027-01-01"]
    cells[at] = f"{CANARY}{value}"
    target = io.StringIO()
    csv.writer(target).writerows([COLUMNS, cells])
    said = ""
    try:
        parse(target.getvalue().encode(), NOW)
    except BadInput as error:
        said = str(error)
    assert CANARY not in said
