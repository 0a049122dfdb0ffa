"""How true the SQL here is to Athena's: the same queries by Trino, which Athena is built on, and by our translation.

Every difference stands in docs/athena-fidelity.md; one that doesn't fails the test, and so does one that is no more.
`WRITE_FIDELITY=1` writes the list anew.
"""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from crime_jobs.adhoc.lake import LakeAsker
from crime_jobs.adhoc.questions import questions
from crime_jobs.errors import CrimeJobsError
from tests.localstack.conftest import ROOT
from tests.localstack.trino import Failed, Trino, serve

pytestmark = pytest.mark.soak

PAGE = ROOT / "docs/athena-fidelity.md"
HEAD = "| query | Trino | here |\n|---|---|---|\n"
#: Of a double what must be equal: sums come in another order.
DIGITS = 1e-12

#: Values of the named questions' parameters, tried one at a time beside the defaults.
VALUES = {
    "level": ["all", "combined"],
    "year": ["all", "2012", "1900"],
    "crime_group": ["all", "theft", "it's"],
    "women_group": ["core_seven"],
    "state_code": ["all", "IN-TN", "IN-AP+TS"],
    "state_a": ["IN", "IN-AP"],
    "status": ["all"],
    "fact_table": ["women_facts"],
}


@dataclass(frozen=True)
class Query:
    """A query and what it is called in the list."""

    name: str
    sql: str


def queries() -> Iterator[Query]:
    """The named questions with several values, and the queries of fidelity.sql."""
    for question in questions().values():
        if " firs" in question.sql:
            continue  # the stream's history is no table of the lake
        wanted: list[Mapping[str, str]] = [{}]
        known = {parameter.name for parameter in question.parameters}
        wanted += [{name: value} for name, values in VALUES.items() if name in known for value in values]
        for given in wanted:
            told = " ".join(f"{name}={value}" for name, value in given.items())
            yield Query(f"{question.name} {told}".strip(), question.text(given))
    text = (Path(__file__).parent / "fidelity.sql").read_text(encoding="utf-8")
    for name, sql in re.findall(r"^-- (.+)\n(.+);$", text, flags=re.MULTILINE):
        yield Query(name, sql)


@dataclass(frozen=True)
class Answer:
    """Rows, or why there are none."""

    names: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    refused: str = ""

    @property
    def told(self) -> str:
        """For people, short."""
        if self.refused:
            return self.refused
        shown = "; ".join(", ".join(map(_shown, row)) for row in self.rows[:2])
        return (
            shown + (f" … ({len(self.rows)} rows)" if len(self.rows) > 2 else "") if self.rows else "no row"
        )


def _shown(value: Any) -> str:
    return "NULL" if value is None else f"'{value}'" if isinstance(value, str) else str(value)


def by_trino(trino: Trino, query: Query) -> Answer:
    try:
        names, types, rows = trino.ask(query.sql)
    except Failed as error:
        return Answer(refused=f"error {error.args[0]}")
    return Answer(
        tuple(names), tuple(map(_type, types)), tuple(tuple(map(_trino_value, row, types)) for row in rows)
    )


def _trino_value(value: Any, kind: str) -> Any:
    if kind.startswith(("double", "real")) and isinstance(value, str):
        return float(value)  # NaN and Infinity
    if kind == "varbinary" and value is not None:
        return base64.b64decode(value)
    return value


def here(asker: LakeAsker, query: Query) -> Answer:
    try:
        answer = asker.ask(query.sql)
        types = tuple(_type(column.type) for column in answer.columns)
        names = tuple(column.name for column in answer.columns)
        table = answer.table()
    except CrimeJobsError as error:
        return Answer(refused=f"refused: {_first(error.message)}")
    columns = [
        [_plain(value, kind) for value in column.to_pylist()]
        for column, kind in zip(table.columns, types, strict=True)
    ]
    return Answer(names, types, tuple(zip(*columns, strict=True)) if columns else ())


def _first(text: str) -> str:
    return re.sub(r"\s+", " ", text.split("\n\n", maxsplit=1)[0])[:110]


def _type(kind: str) -> str:
    """Without the lengths that change nothing in a row."""
    kind = re.sub(r"\b(var)?char\(\d+\)", "varchar", kind.lower().replace(", ", ","))
    kind = re.sub(r"(timestamp|time)\(\d+\)", r"\1", kind)
    while (
        plain := re.sub(r"(\w+(?:\([\w,]+\))?)\[\]", r"array(\1)", kind)
    ) != kind:  # DuckDB's way to say it
        kind = plain
    return kind


def _plain(value: Any, kind: str) -> Any:  # noqa: PLR0911 - a case a type
    """As Trino's JSON has it."""
    if isinstance(value, dict):
        return [_plain(one, "") for one in value.values()]
    if isinstance(value, list):
        if value and all(isinstance(one, tuple) for one in value):  # a map
            return {str(key): _plain(one, "") for key, one in value}
        return [_plain(one, "") for one in value]
    if isinstance(value, dt.datetime):
        zone = " UTC" if value.tzinfo else ""
        return value.strftime("%Y-%m-%d %H:%M:%S.") + f"{value.microsecond // 1000:03}{zone}"
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return str(value)
    return value


def same(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, float) and isinstance(other, float):
        return (
            one == other
            or (math.isnan(one) and math.isnan(other))
            or math.isclose(one, other, rel_tol=DIGITS)
        )
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, str) and isinstance(other, str) and re.match(r"\d{4}-\d\d-\d\d ", one):
        return one.partition(".")[0] == other.partition(".")[0] or one.rstrip("0").rstrip(".") == other
    return bool(type(one) is type(other) and one == other)


def difference(trino: Answer, ours: Answer) -> tuple[str, str] | None:
    """What Trino says and what is said here, if that is not the same."""
    if trino.refused or ours.refused:
        return None if trino.refused and ours.refused else (trino.told, ours.told)
    if [name.lower() for name in trino.names] != [name.lower() for name in ours.names]:
        return f"columns {', '.join(trino.names)}", f"columns {', '.join(ours.names)}"
    if len(trino.rows) != len(ours.rows):
        return f"{len(trino.rows)} rows", f"{len(ours.rows)} rows"
    cells = [
        (name, f"{name} = {_shown(one)}", f"{name} = {_shown(other)}")
        for left, right in zip(trino.rows, ours.rows, strict=True)
        for name, one, other in zip(trino.names, left, right, strict=True)
        if not same(one, other)
    ]
    kinds = [
        (name, f"{name} is {kind}", f"{name} is {own}")
        for name, kind, own in zip(trino.names, trino.types, ours.types, strict=True)
        if kind != own
    ]
    # One row of each column says it, and its type where that alone differs.
    found = {name: told for name, *told in [*kinds, *reversed(cells)]}
    return (
        ("; ".join(one for one, _ in found.values()), "; ".join(o for _, o in found.values()))
        if found
        else None
    )


@pytest.fixture(scope="module")
def trino(built_lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trino]:
    with serve(tmp_path_factory.mktemp("trino"), built_lake) as served:
        yield served


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")[:160]


def test_what_differs_from_trino_is_in_the_list(trino: Trino, built_lake: Path) -> None:
    asked, found = list(queries()), []
    assert len(asked) > 150
    assert len({query.name for query in asked}) == len(asked)
    asker, answered = LakeAsker(str(built_lake)), 0
    for query in asked:
        theirs = by_trino(trino, query)
        answered += not theirs.refused
        if told := difference(theirs, here(asker, query)):
            found.append(f"| {_cell(query.name)} | {_cell(told[0])} | {_cell(told[1])} |\n")
    asker.close()
    # A check that Trino answers little of proves little.
    assert answered > 0.8 * len(asked)
    if os.environ.get("WRITE_FIDELITY"):
        _write(found, len(asked))
    listed = PAGE.read_text(encoding="utf-8").partition(HEAD)[2].splitlines(keepends=True)
    rows = [line for line in listed if line.startswith("| ")]
    assert [line for line in found if line not in rows] == [], (
        "differences that docs/athena-fidelity.md lacks"
    )
    assert [line for line in rows if line not in found] == [], "no difference any more"


def _write(found: list[str], asked: int) -> None:
    before = PAGE.read_text(encoding="utf-8").partition(HEAD)[0]
    before = re.sub(r"\*\*.*\*\* of \d+ queries", f"**{len(found)}** of {asked} queries", before)
    PAGE.write_text(f"{before}{HEAD}{''.join(found)}", encoding="utf-8")


def test_a_difference_is_seen() -> None:
    one = Answer(("a",), ("double",), ((1.5,), (None,)))
    assert difference(one, one) is None
    for other in (
        Answer(("a",), ("double",), ((1.5,),)),
        Answer(("a",), ("double",), ((1.5000001,), (None,))),
        Answer(("a",), ("double",), ((1.5,), (0.0,))),
        Answer(("b",), ("double",), ((1.5,), (None,))),
        Answer(("a",), ("bigint",), ((1.5,), (None,))),
        Answer(refused="refused: no"),
    ):
        assert difference(one, other), other
        assert difference(other, one), other
    assert not same(1, True)
    assert not same(1, 1.0)
    assert not same(["a", None], ["a", "b"])
