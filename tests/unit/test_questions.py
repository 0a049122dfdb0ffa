"""The named questions and the tables: their files are what the model and the headers say, values stay values."""

from __future__ import annotations

import re

import duckdb
import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp

from crime_jobs.adhoc import _said, ddl
from crime_jobs.adhoc._values import checked
from crime_jobs.adhoc.athena import literal
from crime_jobs.adhoc.questions import FOLDER, Question, find, questions
from crime_jobs.errors import WrongUsage
from crime_jobs.model.tables import TABLES
from crime_jobs.registry import registry
from tests.conftest import ROOT

ADHOC = ROOT / "src/crime_jobs/adhoc"

#: Words that Athena takes for a column only in quotes
#: (https://docs.aws.amazon.com/athena/latest/ug/reserved-words.html, in DDL and in SELECT).
RESERVED = set(
    re.findall(
        r"\w+",
        """all alter and array as authorization between bigint binary boolean both by case cashe cast char column conf
    constraint commit create cross cube current current_date current_timestamp cursor database date dayofweek
    decimal delete describe distinct double drop else end exchange exists extended external extract false fetch
    float floor following for foreign from full function grant group grouping having if import in inner insert
    int integer intersect interval into is join lateral left less like local macro map more none not null numeric
    of on only or order out outer over partialscan partition percent preceding precision preserve primary
    procedure range reads reduce regexp references revoke right rlike rollback rollup row rows select set
    smallint start table tablesample then time timestamp to transform trigger true truncate unbounded union
    uniquejoin update user using utc_timestamp values varchar views when where window with
    current_catalog current_path current_role current_schema current_time current_user deallocate escape except
    execute json_array json_exists json_object json_query json_table json_value listagg localtime localtimestamp
    natural normalize prepare recursive skip trim uescape unnest""",
    )
)

#: What would end a literal, a line or a statement, if a value were ever pasted.
HOSTILE = [
    "it's",
    "'; DROP TABLE firs; --",
    "two\nlines",
    "\\",
    "\\'",
    "$1 ? :x",
    "मुंबई 👮",
    "",
    "''",
    "\t",
    "/*",
]


@pytest.mark.parametrize("question", questions().values(), ids=lambda q: q.name)
def test_a_question_asks_for_each_of_its_parameters_once_and_in_order(question: Question) -> None:
    assert question.title
    assert question.sql.count("?") == len(question.parameters) > 0
    statement = sqlglot.parse_one(question.sql, dialect="athena")
    first = statement.find(exp.CTE)
    assert first is not None
    assert first.alias == "asked"
    assert [column.alias for column in first.this.selects] == [p.name for p in question.parameters]
    assert all(isinstance(c.unalias().this, exp.Placeholder) for c in first.this.selects)
    assert statement.args.get("order"), "rows of no order can't be compared"


@pytest.mark.parametrize("question", questions().values(), ids=lambda q: q.name)
def test_whatever_a_value_is_it_stays_that_value(question: Question) -> None:
    for value in HOSTILE:
        text = question.text({question.parameters[0].name: value})
        asked = sqlglot.parse_one(text, dialect="athena").find(exp.CTE)
        assert asked is not None
        found = [column.unalias().this for column in asked.this.selects]
        assert [one.is_string for one in found] == [True] * len(question.parameters)
        assert [one.this for one in found] == [value, *(p.default for p in question.parameters[1:])]


@given(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=300))
def test_a_bound_value_is_read_back_as_it_was(value: str) -> None:
    assert duckdb.sql(f"SELECT {literal(value)}").fetchone() == (value,)


def test_a_value_that_athena_would_not_take_is_refused() -> None:
    with pytest.raises(WrongUsage, match="1023 characters"):
        literal("x" * 1023)


def test_a_wrong_name_is_answered_with_the_close_one() -> None:
    with pytest.raises(WrongUsage, match="Is hot_spots meant"):
        find("hotspots")
    with pytest.raises(WrongUsage, match="Is year meant") as caught:
        find("hot_spots").bind({"yaer": "2013"})
    assert "crime_group" in caught.value.hint


def test_the_tables_files_are_what_the_model_gives() -> None:
    found = {path.stem: path.read_text("utf-8") for path in (ADHOC / FOLDER / "tables").glob("*.sql")}
    assert found == ddl.generated(), "run python -m crime_jobs.adhoc.ddl"
    assert {*ddl.table_names(), "database"} == set(found)


@pytest.mark.parametrize(("name", "statement"), ddl.generated().items(), ids=str)
def test_athena_reads_the_ddl_and_no_column_is_a_reserved_word(name: str, statement: str) -> None:
    made = sqlglot.parse_one(ddl.filled(statement, lake="s3://lake/l", history="s3://f/h", database="crime"), dialect="athena")  # fmt: skip
    assert isinstance(made, exp.Create)
    columns = [column.name for column in made.find_all(exp.ColumnDef)]
    assert bool(columns) == (name != "database")
    assert RESERVED.isdisjoint(columns)
    assert "identity" not in columns


def test_no_identity_and_no_place_of_a_fir_is_among_the_answers() -> None:
    for question in questions().values():
        if question.name.startswith("firs_"):
            answer = sqlglot.parse_one(question.sql, dialect="athena")
            assert isinstance(answer, exp.Select)
            assert {c.alias_or_name for c in answer.selects} <= {"hour_of_day", "month_number", "state_code", "crime_group", "law", "firs"}  # fmt: skip


@pytest.mark.parametrize("uri", ["build/lake", "s3://b/x", "s3://bucket/it's", "s3://bucket/a b", "s3://bucket/$x", "s3://bucket//x", "s3://bucket/x\n", "s3://bucket/\\"])  # fmt: skip
def test_a_place_that_would_change_the_statement_is_refused(uri: str) -> None:
    with pytest.raises(WrongUsage):
        ddl.place(uri, "lake")


def test_places_are_filled_in_and_projection_keeps_its_own() -> None:
    text = ddl.filled(ddl.generated()["crime_facts"], lake=ddl.place("s3a://lake-1/a=b/", "lake"), history="s3://h/h", database="crime")  # fmt: skip
    assert "'s3://lake-1/a=b/crime_facts/year=${year}/'" in text
    assert "${lake}" not in text
    assert not text.startswith("--")


def test_a_missing_table_names_the_job_that_makes_it() -> None:
    makers = {table: job.name for job in registry().values() for table in job.writes}
    assert {table: _said.job_of(table) for table in TABLES} == {table: makers[table] for table in TABLES}


def test_wrong_sql_is_shown_with_a_caret() -> None:
    said = _said.wrong_sql("SELECT 1\nFROM\tnowhere", "no", 2, 6)
    assert said.hint == "  FROM nowhere\n       ^"
    long = _said.wrong_sql("x" * 500 + "Y", "no", 1, 501).hint.splitlines()
    assert long[0][len(long[1]) - 1] == "Y"
    assert re.search("no", _said.wrong_sql("x", "no").message)


@pytest.mark.parametrize(
    ("question", "given", "bound"),
    [
        ("hot_spots", {"state_code": "tamil nadu"}, {"state_code": "IN-TN"}),
        ("crime_over_time", {"state_code": "india", "crime_group": "ALL"}, {"state_code": "IN", "crime_group": "all"}),
        ("compare_places", {"state_a": "IN-AP+TS", "state_b": "Orissa"}, {"state_a": "IN-AP+TS", "state_b": "IN-OD"}),
        ("firs_by_group", {"since": "2026/11/24"}, {"since": "2026/11/24"}),
        ("data_quality", {"status": "not ok"}, {"status": "not ok"}),
    ],
)  # fmt: skip
def test_a_place_is_known_by_any_of_its_names(
    question: str, given: dict[str, str], bound: dict[str, str]
) -> None:
    assert checked(find(question), given) == bound


@pytest.mark.parametrize(
    ("question", "name", "value", "said"),
    [
        ("hot_spots", "state_code", "Tamil Nad", "Is Tamil Nadu meant"),
        ("hot_spots", "crime_group", "muder", "Is murder meant"),
        ("hot_spots", "year", "20113", "a year as 2014"),
        ("crime_by_head", "crime_head", "arsen", "Is arson meant"),
        ("crime_by_region", "level", "distict", "Is district meant"),
        ("firs_by_group", "since", "24-11-2026", "a day as"),
        ("firs_by_hour_and_month", "crime_group", "all_ipc", "has no value"),
        ("crimes_against_women", "women_group", "murder", "has no value"),
    ],
)
def test_a_value_that_can_not_be_is_told_instead_of_answered_with_no_rows(
    question: str, name: str, value: str, said: str
) -> None:
    with pytest.raises(WrongUsage, match=said):
        checked(find(question), {name: value})


@pytest.mark.parametrize("question", questions().values(), ids=lambda q: q.name)
def test_every_default_can_be(question: Question) -> None:
    defaults = {p.name: p.default for p in question.parameters}
    assert checked(question, defaults) == defaults
