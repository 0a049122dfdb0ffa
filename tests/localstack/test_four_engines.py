"""The same question has the same rows by Hive's SQL, Spark, Athena and Redshift, whoever reads whichever file.

Athena reads the marts' Parquet in S3, Redshift what Athena unloaded and `COPY` loaded, Spark the lake's folder; the insights
of ``hive/`` compute theirs anew from the facts. Every cell is equal, doubles to the last bit; so is the order.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlglot

from crime_jobs import settings as settings_module
from crime_jobs.adhoc import setup
from crime_jobs.adhoc.asking import SqlSettings
from crime_jobs.adhoc.athena import Athena
from crime_jobs.adhoc.questions import find as question_of
from crime_jobs.hive_scripts import find as script_of
from crime_jobs.model.streams import StreamSettings
from crime_jobs.model.tables import TABLES
from crime_jobs.stream._redshift import Redshift, open_redshift
from tests.localstack.conftest import ROOT, Stack
from tests.localstack.thrift import Sql, sql

__all__ = ["sql"]  # the fixture
Rows = list[dict[str, Any]]

#: Which of a mart's rows Redshift is given: what the questions below are about, so that it is loaded in a second.
MARTS = {
    "crime_by_region": "year >= 2012 AND level <> 'district'",
    "crime_by_period": "state_code IN ('IN', 'IN-TN')",
    "crimes_against_women": "true",
    "traffic_by_time_of_day": "true",
    "traffic_by_month": "true",
    "hot_spots": "year >= 2012",
}
TYPES = {"string": "VARCHAR(4096)", "int": "INTEGER", "bigint": "BIGINT", "double": "DOUBLE PRECISION"}


@dataclass(frozen=True)
class Case:
    """A question and what the insight of ``hive/`` must be told to answer it too."""

    question: str
    given: dict[str, str]
    insight: str
    hive: dict[str, str] = field(default_factory=dict)


CASES = {
    "region": Case("crime_by_region", {}, "40"),
    "region theft": Case(
        "crime_by_region", {"year": "2012", "crime_group": "theft"}, "40", {"year": "2012", "crime_group": "theft"}
    ),
    "over time": Case("crime_over_time", {}, "41"),
    "over time hurt": Case(
        "crime_over_time",
        {"state_code": "IN-TN", "crime_group": "hurt"}, "41", {"state_code": "IN-TN", "crime_group": "hurt"},
    ),
    "women": Case("crimes_against_women", {}, "42"),
    "hour": Case("traffic_by_hour", {}, "43"),
    "month": Case("traffic_by_month", {"year": "2012"}, "44", {"year": "2012"}),
    "hot spots": Case("hot_spots", {}, "45"),
    "compare": Case("compare_places", {}, "46"),
    "compare states": Case(
        "compare_places",
        {"state_a": "IN-AP", "state_b": "IN-GJ", "year": "2013"}, "46",
        {"state_a": "IN-AP", "state_b": "IN-GJ", "year": "2013"},
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Engines:
    """Everybody who is asked."""

    athena: Athena
    redshift: Redshift
    thrift: Sql

    def by_athena(self, case: Case) -> Rows:
        question = question_of(case.question)
        rows: Rows = self.athena.ask(question.sql, question.bind(case.given)).table().to_pylist()
        return rows

    def by_redshift(self, case: Case) -> Rows:
        (text,) = sqlglot.transpile(
            question_of(case.question).text(case.given), read="athena", write="redshift"
        )
        return self.redshift.query(text)

    def by_spark(self, case: Case) -> Rows:
        (text,) = sqlglot.transpile(question_of(case.question).text(case.given), read="athena", write="spark")
        return self.thrift.dicts(text)

    def by_hive(self, case: Case) -> Rows:
        (script,) = script_of(case.insight)
        (text,) = (one.text for one in script.statements if one.text.startswith("SELECT"))
        return self.thrift.dicts(text, configuration={f"set:hivevar:{k}": v for k, v in case.hive.items()})


@pytest.fixture(scope="module")
def engines(stack: Stack, sql: Sql, built_lake: Path) -> Iterator[Engines]:
    """The marts in all of them."""
    lake, name = stack.fresh("four-engines"), f"four_{uuid.uuid4().hex[:8]}"
    s3 = stack.client("s3")
    bucket, _, prefix = lake.removeprefix("s3://").partition("/")
    for mart in MARTS:
        for path in sorted((built_lake / mart).rglob("*.parquet")):
            s3.upload_file(str(path), bucket, f"{prefix}/{path.relative_to(built_lake)}")
    stack.client("athena").create_work_group(
        Name=name, Configuration={"ResultConfiguration": {"OutputLocation": f"s3://crime-artifacts/{name}/"}}
    )
    with pytest.MonkeyPatch.context() as patch:
        for key, value in stack.env.items():
            patch.setenv(key, value)
        found = settings_module.load("local", {"lake": lake}, environ=stack.env, folder=ROOT)
        place = found.model_copy(update={"sql": {"workgroup": name, "database": name}})
        athena = Athena(place, SqlSettings.model_validate(place.sql))
        for step in setup.plan(place):
            if step.kind == "database" or (step.kind == "table" and step.name in MARTS):
                athena.run(step.sql)
        redshift = open_redshift(
            place,
            StreamSettings(
                name=f"fir-{name}".replace("_", "-"), redshift_workgroup=f"wg-{name}".replace("_", "-")
            ),
        )
        _load(athena, redshift, f"s3://crime-artifacts/{name}-unloaded")
        yield Engines(athena, redshift, sql)
        athena.close()


def _load(athena: Athena, redshift: Redshift, place: str) -> None:
    for mart, where in MARTS.items():
        uri = f"{place}/{mart}/"
        athena.run(
            f"UNLOAD (SELECT * FROM {mart} WHERE {where}) TO '{uri}' WITH (format = 'JSON', compression = 'gzip')"
        )
        columns = ", ".join(f"{column.name} {TYPES[column.type]}" for column in TABLES[mart].columns)
        role = "arn:aws:iam::000000000000:role/copy"
        done = redshift.batch(
            [
                f"CREATE TABLE {mart} ({columns})",
                f"COPY {mart} FROM '{uri}' IAM_ROLE '{role}' FORMAT AS JSON 'auto' GZIP",
            ]
        )
        assert done.ok, done.error


def differences(one: Rows, other: Rows) -> list[str]:
    """How two answers differ, by the names that both have: missing rows, cells, order."""
    names = [name for name in (one or [{}])[0] if name in (other or [{}])[0]]
    found = [f"{len(one)} rows beside {len(other)}"] if len(one) != len(other) else []
    for at, (left, right) in enumerate(zip(one, other, strict=False)):
        found += [
            f"row {at}, {name}: {left[name]!r} beside {right[name]!r}"
            for name in names
            if left[name] != right[name] or type(left[name]) is not type(right[name])
        ]
    return found


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_four_engines_give_the_same_rows(engines: Engines, case: Case) -> None:
    athena = engines.by_athena(case)
    assert athena, "a question that nobody answers proves nothing"
    spark, redshift, hive = engines.by_spark(case), engines.by_redshift(case), engines.by_hive(case)
    # Named questions say in which order: Athena puts what is empty last, and so do the others once transpiled.
    assert list(athena[0]) == list(spark[0]) == list(redshift[0])
    assert differences(athena, spark) == []
    assert differences(athena, redshift) == []
    # An insight has an order of its own, and leaves a few names of the place out.
    shared = [name for name in athena[0] if name in hive[0]]
    assert len(shared) >= 5
    assert set(athena[0]) - set(shared) <= {"level", "state", "rule", "population"}

    def cells(rows: Rows) -> list[str]:
        return sorted(repr([row[name] for name in shared]) for row in rows)

    assert cells(hive) == cells(athena)


def test_a_planted_difference_is_seen(engines: Engines) -> None:
    """The comparison can fail: one row less, one bit of a double, an empty cell, two rows exchanged."""
    case = CASES["hour"]
    right = engines.by_athena(case)
    assert differences(right, engines.by_redshift(case)) == []
    engines.redshift.batch(
        [
            "UPDATE traffic_by_time_of_day SET cases = cases + 1 WHERE state_code = 'IN' AND slot = '06-09' AND year = 2014"
        ]
    )
    try:
        (told,) = differences(right, engines.by_redshift(case))
        assert "cases" in told
    finally:
        engines.redshift.batch(
            [
                "UPDATE traffic_by_time_of_day SET cases = cases - 1 WHERE state_code = 'IN' AND slot = '06-09' AND year = 2014"
            ]
        )
    share = right[0]["share_pct"]
    assert differences(right, right[:-1])
    assert differences(right, [{**right[0], "share_pct": share * (1 + 2**-52)}, *right[1:]])
    assert differences(right, [{**right[0], "share_pct": None}, *right[1:]])
    assert differences(right, [right[1], right[0], *right[2:]])
