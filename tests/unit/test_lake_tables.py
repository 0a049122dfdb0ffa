"""Tables of a lake as they are asked for SQL: committed files alone, partitions, S3, and damage that is told."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pyarrow.parquet as pq
import pytest

from crime_jobs.adhoc.lake import LakeAsker
from crime_jobs.adhoc.questions import find
from crime_jobs.errors import AwsRefused, BadInput
from tests.unit.dashboard_lake import MAKERS, table_of, write_lake


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return write_lake(tmp_path / "lake")


def read(lake: Path | str, table: str = "hot_spots") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = LakeAsker(str(lake)).ask(f"SELECT * FROM {table}").table().to_pylist()
    return rows


def test_reads_what_was_written(lake: Path) -> None:
    for name in MAKERS:
        assert read(lake, name) == table_of(name).to_pylist(), name
    assert read(lake.as_uri()) == read(lake)


def test_reads_the_committed_files_alone(lake: Path) -> None:
    """On S3 a run puts its files beside the old ones: until the report names them, they are not there."""
    pq.write_table(table_of("hot_spots"), lake / "hot_spots" / "part-1.parquet")
    assert len(read(lake)) == 1
    (lake / "hot_spots" / "_report.json").unlink()
    assert len(read(lake)) == 2  # no report: what is in the folder
    (lake / "hot_spots" / "_report.json").write_text('{"files": []}')
    assert len(read(lake)) == 0


def test_hidden_files_are_no_data(lake: Path) -> None:
    (lake / "hot_spots" / "_report.json").unlink()
    for hidden in ("_temporary/part-9.parquet", ".part-0.parquet"):
        path = lake / "hot_spots" / hidden
        path.parent.mkdir(exist_ok=True)
        pq.write_table(table_of("hot_spots"), path)
    assert len(read(lake)) == 1


def test_partition_folders_are_columns(lake: Path) -> None:
    folder = lake / "crime_facts"
    (folder / "year=2014").mkdir()
    pq.write_table(table_of("crime_facts").drop_columns(["year"]), folder / "year=2014" / "part-0.parquet")
    (folder / "_report.json").write_text('{"files": ["year=2014/part-0.parquet"]}')
    found = read(lake, "crime_facts")
    assert found == [row | {"year": 2014} for row in table_of("crime_facts").to_pylist()]


def test_a_missing_lake_is_a_missing_table(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is not in the lake"):
        read(tmp_path / "nothing")


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
        read(lake)
    assert "hot_spots" in raised.value.message


def test_an_unknown_scheme_is_bad_input() -> None:
    with pytest.raises(BadInput, match="ftp:// is not known"):
        read("ftp://somewhere/lake")


def delivered(history: Path, day: str, *sent: dict[str, Any]) -> None:
    """Put FIRs where Firehose would; what they do not say is of a theft in Goa."""
    common = {"state_code": "IN-GA", "crime_group": "property", "sections": "BNS:303", "is_zero": False}
    common |= {"occurred_at": "2026-11-20T06:00:00Z", "content_hash": "0"}
    folder = history / day / "09"
    folder.mkdir(parents=True)
    (folder / "firs-1").write_text("".join(json.dumps(common | one) + "\n" for one in sent))


def counted(lake: Path, name: str, **given: str) -> list[tuple[Any, ...]]:
    question = find(name)
    asker = LakeAsker(str(lake), history=str(lake.parent / "history"))
    rows = asker.ask(question.sql, question.bind(given)).table().to_pylist()
    return [tuple(row.values()) for row in rows]


def test_a_zero_fir_and_what_it_became_are_one_fir_where_it_belongs(lake: Path) -> None:
    """The Zero FIR is of another state and, read again, of another group; each is sent first, or twice, or alone."""
    zero = {"is_zero": True, "state_code": "IN-SK", "crime_group": "other"}
    delivered(
        lake.parent / "history",
        "2026/11/20",
        zero | {"fir_key": "Z1", "sent_at": "2026-11-20T07:00:00Z"},
        {"fir_key": "F1", "zero_key": "Z1", "sent_at": "2026-11-20T08:00:00Z"},
        {"fir_key": "F1", "zero_key": "Z1", "sent_at": "2026-11-20T09:00:00Z"},
        {"fir_key": "F2", "zero_key": "Z2", "sent_at": "2026-11-20T07:00:00Z"},
        zero | {"fir_key": "Z2", "sent_at": "2026-11-20T08:00:00Z"},
        zero | {"fir_key": "Z3", "sent_at": "2026-11-20T08:00:00Z"},
    )
    assert counted(lake, "firs_by_group") == [
        ("IN-GA", "property", "BNS", 2),
        ("IN-SK", "other", "BNS", 1),
    ]
    assert counted(lake, "firs_by_hour_and_month") == [(11, 11, 3)]
    assert counted(lake, "firs_by_hour_and_month", state_code="IN-SK") == [(11, 11, 1)]


def test_since_chooses_deliveries_and_what_is_no_day_chooses_none(lake: Path) -> None:
    one = {"fir_key": "F1", "sent_at": "2026-11-20T08:00:00Z"}
    delivered(lake.parent / "history", "2026/11/20", one)
    delivered(lake.parent / "history", "2026/11/21", one, one | {"fir_key": "F2"})
    for since, firs in (("all", 2), ("2026/11/20", 2), ("2026/11/21", 2), ("2026/11/22", 0)):
        assert sum(row[-1] for row in counted(lake, "firs_by_group", since=since)) == firs, since
    for malformed in ("2026-11-21", "2026/11", "latest", "", "12/11/2026", "2026/11/21 "):
        for name in ("firs_by_group", "firs_by_hour_and_month"):
            assert counted(lake, name, since=malformed) == [], malformed


@pytest.fixture
def s3(lake: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Objects as S3 serves them over HTTP: listed, size by HEAD, ranges by GET, 404 for what is not there."""
    asked: list[str] = []

    def listing(prefix: str) -> bytes:
        found = [path for path in (lake.parent / prefix).rglob("*") if path.is_file()]
        rows = "".join(
            f"<Contents><Key>{path.relative_to(lake.parent)}</Key><Size>{path.stat().st_size}</Size>"
            "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
            for path in found
        )
        return f"<ListBucketResult><KeyCount>{len(found)}</KeyCount>{rows}</ListBucketResult>".encode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.append(self.path)
            target, _, query = self.path.partition("?")
            path = lake.parent / target.removeprefix("/bucket").removeprefix("/")
            if "list-type" in query:
                body, status = listing(parse_qs(query)["prefix"][0]), 200
            else:
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
    assert read(f"{scheme}://bucket/lake") == table_of("hot_spots").to_pylist()
    assert any(path.startswith("/bucket/lake/hot_spots/part-0.parquet") for path in s3)


def test_s3_that_can_not_be_reached_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(AwsRefused, match="hot_spots"):
        read("s3://bucket/lake")
