"""Literals of Oracle's SQL: what they look like, and what is refused. On H2 they are read back: tests/localstack."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crime_jobs.migrate.oracle.literals import MAX_LINE, Value, clob_literal, literal, text_literal, wrapped

INDIA = timezone(timedelta(hours=5, minutes=30))
MOMENT = datetime(2014, 3, 31, 23, 59, 59)


@pytest.mark.parametrize(
    ("value", "kind", "written"),
    [
        (None, "CLOB", "NULL"),
        ("", "VARCHAR2(9 CHAR)", "NULL"),
        ("", "CLOB", "NULL"),
        (b"", "RAW(16)", "NULL"),
        ("O'Brien", "VARCHAR2(9 CHAR)", "'O''Brien'"),
        ("a & b;", "VARCHAR2(9 CHAR)", "'a ' || CHR(38) || ' b;'"),
        ("a\r\nb", "CLOB", "TO_CLOB('a' || CHR(13) || CHR(10) || 'b')"),
        ("\x00", "VARCHAR2(9 CHAR)", "CHR(0)"),
        (b"\x00\xff", "RAW(16)", "HEXTORAW('00FF')"),
        (10**37, "NUMBER(38)", "1" + "0" * 37),
        (Decimal("1E+3"), "NUMBER", "1000"),
        (Decimal("-0.05"), "NUMBER(12,2)", "-0.05"),
        (MOMENT, "DATE", "TO_DATE('2014-03-31 23:59:59', 'YYYY-MM-DD HH24:MI:SS')"),
        (
            MOMENT.replace(microsecond=5),
            "TIMESTAMP(6)",
            "TO_TIMESTAMP('2014-03-31 23:59:59.000005', 'YYYY-MM-DD HH24:MI:SS.FF6')",
        ),
        (
            MOMENT.replace(tzinfo=INDIA),
            "TIMESTAMP(6) WITH TIME ZONE",
            "TO_TIMESTAMP_TZ('2014-03-31 23:59:59.000000 +05:30', 'YYYY-MM-DD HH24:MI:SS.FF6 TZH:TZM')",
        ),
    ],
)
def test_a_literal(value: Value, kind: str, written: str) -> None:
    assert literal(value, kind) == written


@pytest.mark.parametrize(
    ("value", "kind", "reason"),
    [
        ("अ" * 1334, "VARCHAR2(2000 CHAR)", "4002 bytes, and VARCHAR2 holds 4000"),
        ("a\ud800", "VARCHAR2(9 CHAR)", "half of a surrogate pair at 1"),
        ("a\ud800", "CLOB", "half of a surrogate pair at 1"),
        (Decimal("NaN"), "NUMBER", "NaN is no number"),
        (MOMENT.replace(microsecond=1), "DATE", "no fraction"),
        (MOMENT.replace(tzinfo=UTC), "DATE", "no zone"),
        (MOMENT.replace(tzinfo=timezone(timedelta(seconds=1))), "TIMESTAMP(6) WITH TIME ZONE", "no seconds"),
    ],
)
def test_what_a_column_can_not_hold_is_refused(value: Value, kind: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        literal(value, kind)


@given(st.text(st.characters(codec="utf-8"), max_size=40), st.integers(1, 300))
def test_no_line_is_too_long_for_sqlplus_nor_ends_a_statement(text: str, times: int) -> None:
    long = text * times
    written = [clob_literal(long), *([text_literal(long)] if len(long.encode()) <= 4000 else [])]
    for lines in (one.split("\n") for one in written):
        assert max(len(line.encode()) for line in lines) <= MAX_LINE
        assert all(line.endswith(" ||") for line in lines[:-1])
        assert not any(sign in line for line in lines for sign in ("&", "\r", "\x00"))


@given(st.lists(st.text("ab", min_size=1, max_size=900), min_size=1, max_size=30))
def test_wrapped_loses_nothing(parts: list[str]) -> None:
    lines = wrapped(parts, ",").split("\n")
    assert ", ".join(parts) == " ".join(lines)
    assert max(map(len, lines)) <= MAX_LINE
