"""The dashboard's file: read from a lake, laid out, escaped, and put in place whole."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crime_jobs.adhoc._payload import payload
from crime_jobs.adhoc.dashboard import MARTS, build_dashboard, embed, read_marts, render
from crime_jobs.errors import AwsRefused, BadInput, JobFailed
from crime_jobs.jobs import registry
from crime_jobs.model.tables import TABLES

BOUNDARIES = Path(__file__).resolve().parents[2] / "data" / "india_states.geojson"
TYPES = {"string": pa.string(), "int": pa.int32(), "bigint": pa.int64(), "double": pa.float64()}
PLACES = (("country", "IN", "India"), ("state", "IN-GA", "Goa"), ("state", "IN-SK", "Sikkim"))


def rows_of(name: str) -> list[dict[str, Any]]:
    """A small table: two years, one group of crimes, a rate that one place does not have."""
    common = [
        {"level": level, "state_code": code, "state": state, "year": year, "cases": 1000 + year + len(code)}
        for level, code, state in PLACES
        for year in (2013, 2014)
    ]
    rate = {"population": 100_000, "rate_per_lakh": 12.5}
    no_rate = {"population": None, "rate_per_lakh": None}
    rated = [row | (no_rate if row["state_code"] == "IN-SK" else rate) for row in common]
    trend = {"change_pct": -1.5, "trend": "steady"}
    of_group = {"crime_group": "murder"}
    spot = {"state_code": "IN-GA", "state": "Goa", "district": "North Goa", "year": 2014, "cases": 90}
    found: dict[str, list[dict[str, Any]]] = {
        "crime_by_region": [r | of_group | {"district": None, "rank_in_year": 1, "magnitude": "high"} for r in rated],
        "crime_by_period": [r | of_group | trend for r in common],
        "crimes_against_women": [r | trend | {"women_group": "core_seven", "scope": "s"} for r in rated],
        "traffic_by_time_of_day": [r | {"slot": "00-03", "share_pct": 100.0} for r in common],
        "traffic_by_month": [r | {"month_number": 1, "share_pct": 100.0, "cases_per_day": 3.1} for r in common],
        "population_by_year": [r | {"basis": "census"} for r in rated],
        "hot_spots": [
            spot
            | of_group
            | {"percentile": 0.97, "base_cases": None, "growth_pct": None, "hot_spot": "high", "rule": "many"}
        ],
        "data_quality": [
            {"check_name": "rows_used", "source_file": "a.csv", "scope": "rows", "expected": 5, "found": 4,
             "difference": -1, "status": "rows are in quarantine"}
        ],
        "crime_group_heads": [
            {"fact_table": facts, "crime_group": group, "group_label": group, "crime_head": "murder",
             "head_label": "Murder", "defined_by": "a table", "break_2014": ""}
            for facts, group in (("crime_facts", "murder"), ("women_facts", "core_seven"))
        ],
    }  # fmt: skip
    return found[name]


def table_of(name: str, rows: list[dict[str, Any]] | None = None) -> pa.Table:
    schema = pa.schema([(column.name, TYPES[column.type]) for column in TABLES[name].columns])
    rows = rows_of(name) if rows is None else rows
    return pa.Table.from_pylist([{key: row.get(key) for key in schema.names} for row in rows], schema)


@pytest.fixture
def marts() -> dict[str, pa.Table]:
    return {name: table_of(name) for name in MARTS}


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A lake as the jobs publish one: a file, the report that names it."""
    root = tmp_path / "lake"
    for name in MARTS:
        (root / name).mkdir(parents=True)
        pq.write_table(table_of(name), root / name / "part-0.parquet")
        (root / name / "_report.json").write_text(json.dumps({"files": ["part-0.parquet"]}))
    return root


def test_the_jobs_named_are_those_that_make_the_tables() -> None:
    makers = {table: job.name for job in registry().values() for table in job.writes}
    assert {name: makers[name] for name in MARTS} == MARTS


def test_reads_what_was_written(lake: Path) -> None:
    found = read_marts(str(lake))
    assert found.keys() == MARTS.keys()
    for name, table in found.items():
        assert table.equals(table_of(name)), name
    assert read_marts(lake.as_uri())["hot_spots"].equals(found["hot_spots"])


def test_reads_the_committed_files_alone(lake: Path) -> None:
    """On S3 a run puts its files beside the old ones: until the report names them, they are not there."""
    pq.write_table(table_of("hot_spots"), lake / "hot_spots" / "part-1.parquet")
    assert read_marts(str(lake))["hot_spots"].num_rows == 1
    (lake / "hot_spots" / "_report.json").unlink()
    assert read_marts(str(lake))["hot_spots"].num_rows == 2  # no report: what is in the folder
    (lake / "hot_spots" / "_report.json").write_text('{"files": []}')
    assert read_marts(str(lake))["hot_spots"].num_rows == 0


def test_hidden_files_are_no_data(lake: Path) -> None:
    (lake / "hot_spots" / "_report.json").unlink()
    for hidden in ("_temporary/part-9.parquet", ".part-0.parquet"):
        path = lake / "hot_spots" / hidden
        path.parent.mkdir(exist_ok=True)
        pq.write_table(table_of("hot_spots"), path)
    assert read_marts(str(lake))["hot_spots"].num_rows == 1


def test_partition_folders_are_columns(lake: Path) -> None:
    folder = lake / "hot_spots"
    (folder / "year=2014").mkdir()
    pq.write_table(table_of("hot_spots").drop_columns(["year"]), folder / "year=2014" / "part-0.parquet")
    (folder / "_report.json").write_text('{"files": ["year=2014/part-0.parquet"]}')
    assert read_marts(str(lake))["hot_spots"].equals(table_of("hot_spots"))


@pytest.mark.parametrize("name", MARTS)
def test_a_missing_table_is_named_with_its_folder_and_job(lake: Path, name: str) -> None:
    for path in (lake / name).iterdir():
        path.unlink()
    (lake / name).rmdir()
    with pytest.raises(BadInput) as raised:
        read_marts(str(lake))
    assert name in raised.value.message
    assert f"{lake}/{name}" in raised.value.message
    assert f"crime-jobs run {MARTS[name]}`" in raised.value.hint


def test_a_missing_lake_is_a_missing_table(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is not in the lake"):
        read_marts(str(tmp_path / "nothing"))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "part-0.parquet").unlink(), "not whole"),
        (lambda folder: (folder / "part-0.parquet").write_bytes(b"PAR1 no"), "not the table it should be"),
        (lambda folder: (folder / "_report.json").write_text("{"), "not the table it should be"),
        (
            lambda folder: pq.write_table(
                table_of("hot_spots").drop_columns(["rule"]), folder / "part-0.parquet"
            ),
            "column rule is missing",
        ),
    ],
)
def test_a_damaged_table_is_bad_input(lake: Path, damage: Any, said: str) -> None:
    damage(lake / "hot_spots")
    with pytest.raises(BadInput, match=said) as raised:
        read_marts(str(lake))
    assert "hot_spots" in raised.value.message


def test_an_unknown_scheme_is_bad_input() -> None:
    with pytest.raises(BadInput, match="ftp:// is not known"):
        read_marts("ftp://somewhere/lake")


@pytest.fixture
def s3(lake: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Objects as S3 serves them over HTTP: size by HEAD, ranges by GET, 404 for what is not there."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = lake.parent / self.path.split("?")[0].removeprefix("/bucket/")
            asked.append(self.path)
            body, status = (path.read_bytes(), 200) if path.is_file() else (b"", 404)
            if body and (found := re.match(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))):
                body, status = body[int(found[1]) : int(found[2]) + 1], 206
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        yield asked
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("scheme", ["s3", "s3a"])
def test_reads_from_s3_where_the_aws_variables_say(s3: list[str], scheme: str) -> None:
    assert read_marts(f"{scheme}://bucket/lake")["hot_spots"].equals(table_of("hot_spots"))
    assert any(path.startswith("/bucket/lake/hot_spots/part-0.parquet") for path in s3)


def test_s3_that_can_not_be_reached_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(AwsRefused, match="crime_group_heads"):
        read_marts("s3://bucket/lake")


def test_the_payload_is_the_marts(marts: dict[str, pa.Table]) -> None:
    data = payload(marts)
    assert data["years"] == [2013, 2014]
    assert [place["code"] for place in data["places"]] == ["IN", "IN-GA", "IN-SK"]
    cases = [row["cases"] for row in rows_of("crime_by_region")]
    assert data["region"]["cases"] == cases
    assert data["region"]["rate_per_lakh"] == [12.5, 12.5, 12.5, 12.5, None, None]
    assert data["hot"]["rows"] == [[[], [0, 90, 0.97, None, None, 0]]]


def test_a_place_without_a_row_is_none(marts: dict[str, pa.Table]) -> None:
    for name in ("crime_by_region", "crime_by_period"):
        kept = [row for row in rows_of(name) if (row["state_code"], row["year"]) != ("IN-GA", 2013)]
        marts[name] = table_of(name, kept)
    assert payload(marts)["region"]["cases"][2] is None


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("crime_by_region", lambda rows: [*rows, rows[0]], "more than one row"),
        ("crimes_against_women", lambda rows: [*rows, rows[0] | {"scope": "wide"}], "more than one row"),
        ("crime_by_period", lambda rows: [rows[0] | {"cases": 1}, *rows[1:]], "do not hold the same cases"),
        ("crime_by_region", lambda rows: [*rows, rows[0] | {"crime_group": "new"}], "'new', which the other"),
        ("hot_spots", lambda rows: [rows[0] | {"state_code": "IN-XX"}], "IN-XX"),
        ("traffic_by_month", lambda rows: [*rows, rows[0] | {"year": 1999}], "1999"),
        ("crime_by_region", lambda rows: [], "no figure of a state"),
    ],
)
def test_tables_that_contradict_each_other_are_refused(
    marts: dict[str, pa.Table], name: str, change: Any, said: str
) -> None:
    marts[name] = table_of(name, change(rows_of(name)))
    with pytest.raises(BadInput, match=said) as raised:
        payload(marts)
    assert "run all" in raised.value.hint


texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(
    st.recursive(
        texts | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(texts, inner)
    )
)
def test_embedded_json_reads_back_and_holds_no_markup(document: Any) -> None:
    written = str(embed(document))
    assert json.loads(written) == document
    assert not set("<>&\u2028\u2029") & set(written)


def test_nothing_in_the_data_becomes_markup(marts: dict[str, pa.Table]) -> None:
    hostile = "</script><script>alert(1)</script>\"'<!--"
    rows = [row | {"state": hostile} for row in rows_of("crime_by_region")]
    marts["crime_by_region"] = table_of("crime_by_region", rows)
    heads = [
        row | {"group_label": hostile, "defined_by": hostile, "break_2014": hostile}
        for row in rows_of("crime_group_heads")
    ]
    marts["crime_group_heads"] = table_of("crime_group_heads", heads)
    wrong = rows_of("data_quality")[0]
    quality = [wrong | dict.fromkeys(("check_name", "source_file", "scope", "status"), hostile)]
    marts["data_quality"] = table_of("data_quality", quality)
    page = render(marts, BOUNDARIES)
    assert page.count("<script") == 2
    assert page.count("</script>") == 2
    assert "alert(1)</script>" not in page
    assert "<!--" not in page.split("</head>")[1].split("<script>")[0]


def test_the_same_tables_give_the_same_page(marts: dict[str, pa.Table]) -> None:
    assert render(marts, BOUNDARIES) == render(marts, BOUNDARIES)


def test_the_policy_allows_the_page_its_own_script_and_nothing_else(marts: dict[str, pa.Table]) -> None:
    page = render(marts, BOUNDARIES)
    [policy] = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy.startswith("default-src &#39;none&#39;; script-src &#39;sha256-")
    assert "unsafe" not in policy
    assert not re.search(r"<[^>]+ on\w+=|<[^>]+ style=", page)


def test_builds_the_page_and_replaces_it_whole(lake: Path, tmp_path: Path) -> None:
    out = tmp_path / "a" / "b"
    built = build_dashboard(str(lake), BOUNDARIES, out)
    assert built == out / "index.html"
    assert [path.name for path in out.iterdir()] == ["index.html"]
    assert built.stat().st_mode & 0o777 == 0o644
    built.write_text("old")
    assert (
        build_dashboard(str(lake), str(BOUNDARIES), out)
        .read_text(encoding="utf-8")
        .startswith("<!doctype html>")
    )


def test_a_page_that_can_not_be_made_leaves_the_old_one(
    lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "index.html").write_text("old")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr("crime_jobs.adhoc.dashboard.os.fdopen", full)
        with pytest.raises(JobFailed, match="No space left on device"):
            build_dashboard(str(lake), BOUNDARIES, tmp_path)
    (lake / "hot_spots" / "part-0.parquet").unlink()
    with pytest.raises(BadInput):
        build_dashboard(str(lake), BOUNDARIES, tmp_path)
    assert (tmp_path / "index.html").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index.html", "lake"]


def test_a_file_where_the_folder_should_be(lake: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(JobFailed, match="can't be written"):
        build_dashboard(str(lake), BOUNDARIES, tmp_path / "out")
