"""Athena's SQL in DuckDB's words: each function has the value that Trino's documentation gives it."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from crime_jobs.adhoc.dialect import SqlWrong, Unsupported, bind, parse, translate

SCHEMA = {
    "crime": {
        "t": {
            "year": "integer", "cases": "bigint", "state": "varchar", "d": "date", "rate": "double",
            "price": "decimal(10,2)", "tags": "array(varchar)",
        }
    }
}  # fmt: skip

VALUES = [
    ("7 / 2", "3"),
    ("-7 / 2", "-3"),
    ("1 / 3.0", "0.3"),
    ("7 / 2E0", "3.5"),
    ("7 % 3", "1"),
    ("concat('a', 'b', 'c')", "abc"),
    ("'a' || NULL", "None"),
    ("substr('abcdef', 2, 3)", "bcd"),
    ("split('a,b', ',')", "['a', 'b']"),
    ("split_part('a-b-c', '-', 2)", "b"),
    ("strpos('abc', 'c')", "3"),
    ("replace('abc', 'b')", "ac"),
    ("regexp_replace('a1b2', '[0-9]', 'x')", "axbx"),
    ("regexp_extract('ab12', '([a-z]+)([0-9]+)', 2)", "12"),
    ("regexp_extract_all('a1b2', '[0-9]')", "['1', '2']"),
    ("regexp_like('abc', 'b')", "True"),
    ("regexp_split('a1b', '[0-9]')", "['a', 'b']"),
    ("lpad('7', 3, '0')", "007"),
    ("chr(65)", "A"),
    ("codepoint('A')", "65"),
    ("levenshtein_distance('kitten', 'sitting')", "3"),
    ("to_hex(to_utf8('AB'))", "4142"),
    ("to_hex(md5(to_utf8('a')))", "0CC175B9C0F1B6A831C399E269772661"),
    ("reverse('abc')", "cba"),
    ("length('केरल')", "4"),
    ("url_encode('a b')", "a%20b"),
    ("array_join(ARRAY['a','b'], ',')", "a,b"),
    ("cardinality(ARRAY[1,2])", "2"),
    ("contains(ARRAY[1,2], 2)", "True"),
    ("element_at(ARRAY[1,2], 5)", "None"),
    ("ARRAY[1,2][2]", "2"),
    ("array_distinct(ARRAY[1,1])", "[1]"),
    ("array_sort(ARRAY[2,1])", "[1, 2]"),
    ("array_max(ARRAY[2,1])", "2"),
    ("array_position(ARRAY[2,1], 3)", "0"),
    ("array_union(ARRAY[1], ARRAY[1])", "[1]"),
    ("array_intersect(ARRAY[1,2], ARRAY[2])", "[2]"),
    ("array_except(ARRAY[1,2], ARRAY[2])", "[1]"),
    ("arrays_overlap(ARRAY[1,2], ARRAY[2])", "True"),
    ("array_remove(ARRAY[1,2], 2)", "[1]"),
    ("flatten(ARRAY[ARRAY[1],ARRAY[2]])", "[1, 2]"),
    ("slice(ARRAY[1,2,3,4], 2, 2)", "[2, 3]"),
    ("sequence(1, 3)", "[1, 2, 3]"),
    ("repeat('a', 2)", "['a', 'a']"),
    ("transform(ARRAY[1,2], x -> x + 1)", "[2, 3]"),
    ("filter(ARRAY[1,2], x -> x > 1)", "[2]"),
    ("reduce(ARRAY[1,2,3], 0, (s, x) -> s + x, s -> s)", "6"),
    ("any_match(ARRAY[1,2], x -> x = 2)", "True"),
    ("all_match(ARRAY[1,2], x -> x = 2)", "False"),
    ("none_match(ARRAY[1,2], x -> x = 3)", "True"),
    ("zip(ARRAY[1], ARRAY['a'])", "[(1, 'a')]"),
    ("map(ARRAY['a'], ARRAY[1])['a']", "1"),
    ("map_keys(map(ARRAY['a'], ARRAY[1]))", "['a']"),
    ("element_at(map(ARRAY['a'], ARRAY[1]), 'b')", "None"),
    ("json_extract_scalar('{\"a\":{\"b\":1}}', '$.a.b')", "1"),
    ("json_array_length('[1,2]')", "2"),
    ("json_format(json_extract('{\"a\":[1]}', '$.a'))", "[1]"),
    ("date_add('day', 1, DATE '2014-01-31')", "2014-02-01"),
    ("date_add('month', 1, DATE '2014-01-31')", "2014-02-28"),
    ("date_diff('day', DATE '2014-01-01', DATE '2014-02-01')", "31"),
    ("date_diff('month', DATE '2014-01-31', DATE '2014-02-01')", "0"),
    ("date_diff('hour', TIMESTAMP '2014-01-01 00:59:00', TIMESTAMP '2014-01-01 01:01:00')", "0"),
    ("date_trunc('month', DATE '2014-01-31')", "2014-01-01"),
    ("date_format(TIMESTAMP '2014-01-02 03:04:05', '%Y-%m-%d %H:%i:%s')", "2014-01-02 03:04:05"),
    ("date_parse('02/01/2014', '%d/%m/%Y')", "2014-01-02 00:00:00"),
    ("format_datetime(TIMESTAMP '2014-01-02 03:04:05', 'yyyy-MM-dd''T''HH:mm')", "2014-01-02T03:04"),
    ("to_iso8601(DATE '2014-01-02')", "2014-01-02"),
    ("to_iso8601(TIMESTAMP '2014-01-02 03:04:05.678')", "2014-01-02T03:04:05.678"),
    ("from_iso8601_date('2014-01-02')", "2014-01-02"),
    ("to_unixtime(TIMESTAMP '1970-01-02 00:00:00')", "86400.0"),
    ("date('2014-01-02')", "2014-01-02"),
    ("day_of_week(DATE '2014-01-05')", "7"),
    ("dow(DATE '2014-01-05')", "7"),
    ("extract(dow FROM DATE '2014-01-05')", "7"),
    ("week(DATE '2014-01-05')", "1"),
    ("year_of_week(DATE '2014-12-31')", "2015"),
    ("yow(DATE '2014-12-31')", "2015"),
    ("quarter(DATE '2014-12-31')", "4"),
    ("last_day_of_month(DATE '2014-02-03')", "2014-02-28"),
    ("millisecond(TIMESTAMP '2014-01-02 03:04:05.678')", "678"),
    ("DATE '2014-01-01' + INTERVAL '1' MONTH", "2014-02-01"),
    ("greatest(1, NULL)", "None"),
    ("least(2, 1)", "1"),
    ("coalesce(NULL, 2)", "2"),
    ("nullif(1, 1)", "None"),
    ("if(1 > 2, 'a', 'b')", "b"),
    ("try(1 / 0)", "None"),
    ("sqrt(-1E0)", "nan"),
    ("sqrt(9)", "3.0"),
    ("cardinality(MAP(ARRAY['a'], ARRAY[1]))", "1"),
    ("try_cast('x' AS integer)", "None"),
    ("typeof(1)", "integer"),
    ("typeof('abc')", "varchar(3)"),
    ("round(2.5E0)", "3.0"),
    ("round(-2.5E0)", "-3.0"),
    ("truncate(2.7E0)", "2.0"),
    ("ceiling(2.1E0)", "3.0"),
    ("mod(7, 3)", "1"),
    ("log(2, 8)", "3.0"),
    ("power(2, 3)", "8.0"),
    ("sign(-3)", "-1"),
    ("is_nan(nan())", "True"),
    ("infinity() > 1", "True"),
    ("pi() > 3", "True"),
    ("e() > 2", "True"),
    ("bitwise_and(6, 3)", "2"),
    ("cast('1.5' AS decimal(5,2))", "1.50"),
    ("decimal '1.50'", "1.50"),
    ("decimal '-0.05' * 2", "-0.10"),
    ("decimal '150' / 4", "38"),
    ("cast('12' AS decimal)", "12"),
    ("cast(1.5 AS varchar)", "1.5"),
    ("1 IS DISTINCT FROM NULL", "True"),
    ("CASE WHEN 1 = 1 THEN 'a' END", "a"),
    ("x'ff' = x'ff'", "True"),
    ("CAST(2.5e0 AS integer)", "3"),
    ("CAST(-2.5e0 AS bigint)", "-3"),
    ("try_cast('1.5' AS integer)", "None"),
    ("try_cast('1e2' AS integer)", "None"),
    ("CAST('-12' AS integer)", "-12"),
    ("CAST(0.1e0 AS varchar)", "1.0E-1"),
    ("CAST(1e0 AS varchar)", "1.0E0"),
    ("CAST(178.6e0 AS varchar)", "1.786E2"),
    ("CAST(-123456789.5e0 AS varchar)", "-1.234567895E8"),
    ("CAST(1e7 AS varchar)", "1.0E7"),
    ("CAST(1.5e-7 AS varchar)", "1.5E-7"),
    ("CAST(1.25e20 AS varchar)", "1.25E20"),
    ("CAST(1001e0 AS varchar)", "1.001E3"),
    ("CAST(0.00102e0 AS varchar)", "1.02E-3"),
    ("CAST(infinity() AS varchar)", "Infinity"),
    ("CAST(1 AS varchar)", "1"),
    ("CAST(reduce(ARRAY[2.5e0], 0e0, (s, x) -> s + x, s -> s) AS integer)", "3"),
    ("regexp_replace('2013-02', '(\\d+)-(\\d+)', '$2/$1')", "02/2013"),
    ("regexp_replace('a', 'a', '\\$1')", "$1"),
    ("regexp_extract('x', '[0-9]')", "None"),
    ("regexp_extract('x', '(x)([0-9]*)', 2)", ""),
    ("split('a-b-c', '-', 2)", "['a', 'b-c']"),
    ("split('a-b', '-', 3)", "['a', 'b']"),
    ("split_part('a', ',', 5)", "None"),
    ("substring('abc', 0, 2)", ""),
    ("substr('abc', -5)", ""),
    ("substr('abc', -2, 1)", "b"),
    ("reverse(ARRAY[1, 2])", "[2, 1]"),
    ("reverse(split('a,b', ','))", "['b', 'a']"),
    ("array_distinct(ARRAY[3, 1, 3, NULL, 2])", "[3, 1, None, 2]"),
    ("array_union(ARRAY[3, 1], ARRAY[2, 1])", "[3, 1, 2]"),
    ("array_except(ARRAY[3, 1, 3, 2], ARRAY[1])", "[3, 2]"),
    ("array_max(ARRAY[1, NULL])", "None"),
    ("array_min(ARRAY[3, 2])", "2"),
    ("try(ARRAY[1][2])", "None"),
    ("array_join(transform(sequence(DATE '2013-01-30', DATE '2013-02-01'), d -> CAST(d AS varchar)), ' ')",
     "2013-01-30 2013-01-31 2013-02-01"),
    ("sequence(3, 1)", "[3, 2, 1]"),
    ("json_size('{\"a\": 1, \"b\": 2}', '$')", "2"),
    ("json_size('[1]', '$')", "1"),
    ("nan() = nan()", "False"),
    ("nan() <> nan()", "True"),
    ("nan() > 1", "False"),
]  # fmt: skip


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET ieee_floating_point_ops = true")
        connection.execute("CREATE SCHEMA crime")
        connection.execute(
            "CREATE TABLE crime.t AS SELECT * FROM (VALUES "
            "(2013, 9007199254740993::BIGINT, 'a', DATE '2013-01-31', 0.5::DOUBLE, 1.25::DECIMAL(10,2), ['x', 'y']), "
            "(2014, 4::BIGINT, 'b', DATE '2014-01-31', NULL, 2.50::DECIMAL(10,2), [])) "
            "AS v(year, cases, state, d, rate, price, tags)"
        )
        yield connection


@pytest.mark.parametrize(("sql", "value"), VALUES)
def test_a_function_means_what_it_means_in_athena(
    engine: duckdb.DuckDBPyConnection, sql: str, value: str
) -> None:
    [found] = engine.execute(translate(parse(f"SELECT {sql}"))).fetchone() or (None,)
    assert str(found) == value


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT cases / 1 FROM crime.t ORDER BY year", [(9007199254740993,), (4,)]),  # no way through a double
        ("SELECT sum(cases) * 100.0 / sum(year) FROM crime.t WHERE year = 2014", [("0.2",)]),
        ("SELECT avg(price) FROM crime.t", [("1.88",)]),
        ("SELECT sum(year) OVER (ORDER BY year) FROM crime.t ORDER BY 1", [(2013,), (4027,)]),
        ("SELECT date_trunc('year', d), d + INTERVAL '1' DAY FROM crime.t WHERE year = 2013", [("2013-01-01", "2013-02-01")]),
        ("SELECT u.tag FROM crime.t CROSS JOIN UNNEST(tags) AS u(tag) ORDER BY 1", [("x",), ("y",)]),
        ("SELECT year AS y, count(*) FROM crime.t GROUP BY year ORDER BY y DESC", [(2014, 1), (2013, 1)]),
        ("SELECT a.* FROM crime.t a JOIN crime.t b USING (year) WHERE a.year = 2014 AND a.rate IS NULL",
         [(2014, 4, "b", "2014-01-31", None, "2.50", [])]),
        ("SELECT state FROM crime.t ORDER BY rate", [("a",), ("b",)]),  # NULLs last
        ("SELECT state FROM crime.t ORDER BY rate DESC", [("a",), ("b",)]),
        ("SELECT approx_percentile(cases, 0.5), approx_distinct(state) FROM crime.t", [(4, 2)]),
        ("SELECT map_agg(state, year)['b'] FROM crime.t", [(2014,)]),
        ("VALUES (1, 'a')", [(1, "a")]),
        ("SELECT x, n FROM UNNEST(ARRAY['b', 'a']) WITH ORDINALITY AS t(x, n) ORDER BY n", [("b", 1), ("a", 2)]),
        ("SELECT t.state, u.x, u.n FROM crime.t CROSS JOIN UNNEST(t.tags) WITH ORDINALITY AS u(x, n) ORDER BY n",
         [("a", "x", 1), ("a", "y", 2)]),
        ("SELECT k, v FROM UNNEST(MAP(ARRAY['a', 'b'], ARRAY[1, 2])) AS t(k, v) ORDER BY k", [("a", 1), ("b", 2)]),
        ("SELECT a, b FROM UNNEST(ARRAY[1, 2], ARRAY['x']) AS t(a, b) ORDER BY a", [(1, "x"), (2, None)]),
        ("SELECT upper(state), count(*) FROM crime.t GROUP BY 1 ORDER BY 1", [("A", 1), ("B", 1)]),
    ],
)  # fmt: skip
def test_queries_over_typed_columns(
    engine: duckdb.DuckDBPyConnection, sql: str, rows: list[tuple[object, ...]]
) -> None:
    found = engine.execute(translate(parse(sql), SCHEMA)).fetchall()
    shown = [tuple(one if isinstance(one, int | list | None) else str(one) for one in row) for row in found]
    assert shown == rows


def test_columns_without_a_name_have_athenas(engine: duckdb.DuckDBPyConnection) -> None:
    sql = 'SELECT *, 1, upper(state), year AS "The Year" FROM crime.t'
    found = engine.execute(translate(parse(sql), SCHEMA)).description
    assert [one[0] for one in found or ()][-3:] == ["_col7", "_col8", "The Year"]


def test_parameters_have_the_order_of_the_text() -> None:
    sql = "WITH a AS (SELECT ? AS x) SELECT a.x, ? AS y FROM a WHERE ? > 0 LIMIT ?"
    made = bind(parse(sql), ["'first'", "'se''cond'", "-3", "4"])
    with duckdb.connect() as connection:
        assert connection.execute(translate(made).replace("> 0", "< 0")).fetchall() == [("first", "se'cond")]


@pytest.mark.parametrize(
    ("sql", "line", "column"),
    [
        ("SELECT\n  nope FROM crime.t", 2, 3),
        ("SELECT year,\n foo(1) FROM crime.t", 2, 2),
        ("SELECT 1 FROM crime.t t2\nWHERE t2.nope = 1", 2, 7),
    ],
)
def test_what_is_wrong_has_its_place(sql: str, line: int, column: int) -> None:
    with pytest.raises(SqlWrong) as raised:
        translate(parse(sql), SCHEMA)
    assert (raised.value.line, raised.value.column) == (line, column)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT to_base64(to_utf8('a'))",
        "SELECT * FROM crime.t TABLESAMPLE BERNOULLI (10)",
        "SELECT from_unixtime(1, 'Asia/Kolkata')",
        "SELECT year FROM crime.t ORDER BY year FETCH FIRST 1 ROW WITH TIES",
        "SELECT regexp_replace(state, 'a', state) FROM crime.t",
    ],
)
def test_what_duckdb_can_not_say_is_refused_by_name(sql: str) -> None:
    with pytest.raises(Unsupported, match="is not supported here"):
        translate(parse(sql), SCHEMA)


@pytest.mark.parametrize(
    "sql",
    [
        "CAST('1.5' AS integer)",
        "CAST(CAST(1.5e10 AS real) AS varchar)",
        "ARRAY[1, 2][3]",
        "map(ARRAY['a'], ARRAY[1])['b']",
        "regexp_extract('x', '(x)(y)?', 2)",
        "split_part('a', ',', 1 - 1)",
    ],
)
def test_what_fails_in_athena_fails(engine: duckdb.DuckDBPyConnection, sql: str) -> None:
    made = translate(parse(f"SELECT {sql}"))
    with pytest.raises(
        duckdb.Error, match="subscript|not present|Could not convert|may be missing|large real|greater than"
    ):
        engine.execute(made).fetchall()


def test_columns_of_unnamed_rows_are_numbered(engine: duckdb.DuckDBPyConnection) -> None:
    sql = "SELECT * FROM (VALUES 1, 2) EXCEPT SELECT * FROM (VALUES 2)"
    found = engine.execute(translate(parse(sql), SCHEMA))
    assert [one[0] for one in found.description or ()] == ["_col0"]
    assert found.fetchall() == [(1,)]
