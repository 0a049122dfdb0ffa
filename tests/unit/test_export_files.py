"""Files of an export: read back they are what was written, and what is damaged or too large is said."""

from __future__ import annotations

import base64
import csv
import gzip
import hashlib
import io
import json
import multiprocessing
import resource
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crime_jobs.errors import BadInput, CrimeJobsError, JobFailed
from crime_jobs.migrate import _convert
from crime_jobs.migrate._columns import columns_of
from crime_jobs.migrate._convert import Convert, Survey, csv_line, merged, parts, rows_of_parquet
from crime_jobs.migrate._itemfiles import ItemFile, Staged, items_in, line_of
from crime_jobs.migrate._place import DiskPlace
from crime_jobs.model.exports import ExportedFile

CANARY = "Canary Complainant"


def staged(place: DiskPlace, items: Iterable[dict[str, Any]], number: int = 0) -> Staged:
    """Stage items as boto3's client gives them."""
    name = f"items/segment-{number:05d}.json.gz"
    with place.writing(name) as path, ItemFile(path) as file:
        for item in items:
            file.add(line_of(item))
    return Staged(name, file.items, file.bytes, sha256=file.sha256)


def converted(place: DiskPlace, files: list[Staged], keys: list[str]) -> list[ExportedFile]:
    surveyed = list(map(Survey(place), files))
    convert = Convert(place, columns_of("t", keys, merged(surveyed)))
    return [one for part in enumerate(parts(one.file for one in surveyed)) for one in convert(part)]


def test_a_line_is_dynamodbs_own_export_format() -> None:
    item = {"id": {"S": "एक"}, "b": {"B": b"\x00\xff"}, "s": {"BS": [b"a"]}, "l": {"L": [{"B": b"b"}]}}
    assert json.loads(line_of(item)) == {
        "Item": {"id": {"S": "एक"}, "b": {"B": "AP8="}, "s": {"BS": ["YQ=="]}, "l": {"L": [{"B": "Yg=="}]}}
    }
    assert line_of(item).count(b"\n") == 1


def test_the_same_items_make_the_same_bytes_and_their_digest_is_known(tmp_path: Path) -> None:
    place = DiskPlace(tmp_path)
    items = [{"id": {"S": str(n)}} for n in range(100)]
    one, other = staged(place, items), staged(place, items, 1)
    assert one.sha256 == other.sha256 == hashlib.sha256((tmp_path / one.path).read_bytes()).hexdigest()
    assert (one.items, one.bytes) == (100, (tmp_path / one.path).stat().st_size)
    with (tmp_path / one.path).open("rb") as file:
        assert [i["id"]["S"] for i in items_in(file, "x")] == [str(n) for n in range(100)]


@given(st.lists(st.lists(st.none() | st.text(st.characters(codec="utf-8"))), min_size=1))
def test_csv_read_by_another_is_what_was_written(rows: list[list[str | None]]) -> None:
    rows = [[*row, "end"] for row in rows]
    written = "".join(csv_line(row) for row in rows)
    read = list(csv.reader(io.StringIO(written, newline=""), strict=True))
    assert read == [[one or "" for one in row] for row in rows]
    # A missing attribute and an empty text can still be told apart in the file.
    assert csv_line([None, ""]) == ',""\n'


def test_items_become_the_same_rows_in_csv_and_parquet(tmp_path: Path) -> None:
    place = DiskPlace(tmp_path)
    long = "€" * 130_000  # 400 KB
    items: list[dict[str, Any]] = [
        {"id": {"N": "1"}, "text": {"S": 'a,"b"\r\nc\rd'}, "raw": {"B": b"\x00"}},
        {"id": {"N": "2"}, "text": {"S": ""}, "money": {"N": "12.50"}},
        {"id": {"N": "3"}, "text": {"S": long}, "list": {"L": [{"N": "1"}]}},
    ]
    files = [staged(place, items[:2]), staged(place, items[2:], 1), staged(place, [], 2)]
    made = converted(place, files, ["id"])
    assert [(one.path, one.rows) for one in made] == [
        ("csv/part-00000-000.csv", 3),
        ("parquet/part-00000-000.snappy.parquet", 3),
    ]
    csv.field_size_limit(1 << 24)
    with (tmp_path / made[0].path).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    empty = {"list": "", "money": "", "raw": "", "text": ""}
    assert rows == [
        {**empty, "id": "1", "text": 'a,"b"\r\nc\rd', "raw": "AA=="},
        {**empty, "id": "2", "money": "12.5"},
        {**empty, "id": "3", "text": long, "list": "[1]"},
    ]
    table = pq.read_table(tmp_path / made[1].path)
    assert {f.name: str(f.type) for f in table.schema} == {
        "id": "int64", "list": "string", "money": "decimal128(38, 1)", "raw": "binary", "text": "string"
    }  # fmt: skip
    assert table.column("text").to_pylist() == ['a,"b"\r\nc\rd', "", long]
    assert table.column("raw").to_pylist() == [b"\x00", None, None]
    for one in made:
        content = (tmp_path / one.path).read_bytes()
        assert (one.bytes, one.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert rows_of_parquet(place, made[1:]) == 3


def test_an_empty_table_is_a_header_and_a_parquet_file_without_rows(tmp_path: Path) -> None:
    place = DiskPlace(tmp_path)
    made = converted(place, [staged(place, [])], ["id"])
    assert [one.rows for one in made] == [0, 0]
    assert (tmp_path / made[0].path).read_text() == "id\n"
    assert rows_of_parquet(place, made[1:]) == 0


def test_what_is_too_large_for_one_file_goes_on_in_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_convert, "CSV_BYTES", 1000)
    monkeypatch.setattr(_convert, "GROUP_ROWS", 7)
    place = DiskPlace(tmp_path)
    made = converted(
        place, [staged(place, ({"id": {"N": str(n)}, "t": {"S": "x" * 90}} for n in range(35)))], ["id"]
    )
    tables = [one for one in made if one.path.startswith("csv/")]
    assert len(tables) == 4
    assert sum(one.rows for one in tables) == 35
    ids = [
        line.split(",")[0] for one in tables for line in (tmp_path / one.path).read_text().splitlines()[1:]
    ]
    assert ids == [str(n) for n in range(35)]
    assert rows_of_parquet(place, [one for one in made if one.path.startswith("parquet/")]) == 35


def test_parts_are_as_large_as_may_be_and_keep_the_order() -> None:
    size = _convert.PART_BYTES // 2
    files = [ExportedFile(path=str(n), rows=1, bytes=size, sha256="") for n in range(5)]
    assert [[one.path for one in part] for part in parts(files)] == [["0", "1"], ["2", "3"], ["4"]]
    assert parts([]) == [()]


@pytest.mark.parametrize("change", ["cut", "longer", "not gzip", "not JSON", "no item"])
def test_a_staged_file_that_was_changed_is_refused_without_a_word_of_what_is_in_it(
    tmp_path: Path, change: str
) -> None:
    place = DiskPlace(tmp_path)
    file = staged(place, [{"id": {"S": CANARY}}, {"id": {"S": "2"}}])
    path = tmp_path / file.path
    content = path.read_bytes()
    other = {
        "cut": content[:-9],
        "longer": content + gzip.compress(b'{"Item": {}}\n'),
        "not gzip": b"x",
        "not JSON": gzip.compress(f'{{"{CANARY}'.encode()),
        "no item": gzip.compress(f'{{"{CANARY}": 1}}'.encode()),
    }[change]
    path.write_bytes(other)
    with pytest.raises(JobFailed, match="other bytes: it was changed") as told:
        Survey(place)(file)
    assert CANARY not in str(told.value)
    # Also where no digest is known.
    unknown = Staged(file.path, file.items, len(other))
    with pytest.raises((BadInput, JobFailed), match="segment-00000") as second:
        Survey(place)(unknown)
    assert CANARY not in str(second.value)


class Replacing(DiskPlace):
    """Here a file is replaced, as the worker of a killed run does it, as soon as it was opened."""

    @contextmanager
    def reading(self, name: str) -> Iterator[Path]:
        with super().reading(name) as path:
            yield cast("Path", _Replaced(self, name, path))


@dataclass
class _Replaced:
    place: DiskPlace
    name: str
    path: Path

    def open(self, mode: str) -> Any:
        opened = self.path.open(mode)
        staged(self.place, [{"id": {"S": "2"}, "new": {"S": CANARY}}])
        return opened


@pytest.mark.parametrize(
    "other", [[{"id": {"S": "2"}}], [{"id": {"S": CANARY}}, {"id": {"S": "3"}}], [{"new": {"L": []}}]]
)
def test_a_file_that_is_replaced_after_the_survey_is_refused_and_leaves_no_table(
    tmp_path: Path, other: list[dict[str, Any]]
) -> None:
    place = DiskPlace(tmp_path)
    files = [staged(place, [{"id": {"S": "0"}}], 1), staged(place, [{"id": {"S": "1"}}])]
    surveyed = list(map(Survey(place), files))
    staged(place, other)
    convert = Convert(place, columns_of("t", ["id"], merged(surveyed)))
    (part,) = enumerate(parts(one.file for one in surveyed))
    with pytest.raises(JobFailed, match=r"segment-00000\.json\.gz of .* has other bytes") as told:
        convert(part)
    assert CANARY not in str(told.value)
    assert sorted(place.sizes()) == sorted(file.path for file in files)


def test_what_is_told_of_a_file_is_of_the_bytes_that_were_parsed(tmp_path: Path) -> None:
    place = DiskPlace(tmp_path)
    file = staged(place, [{"id": {"S": "1"}}])
    surveyed = Survey(Replacing(tmp_path))(file)
    assert (surveyed.file.sha256, surveyed.file.bytes) == (file.sha256, file.bytes)
    assert surveyed.seen.keys() == {"id"}
    file = staged(place, [{"id": {"S": "1"}}])
    convert = Convert(Replacing(tmp_path), columns_of("t", ["id"], merged([surveyed])))
    made = convert((0, (surveyed.file,)))
    assert (tmp_path / made[0].path).read_text() == "id\n1\n"
    with pytest.raises(JobFailed, match="other bytes"):  # it is another one by now
        convert((0, (surveyed.file,)))


def test_an_md5_is_checked_as_well(tmp_path: Path) -> None:
    place = DiskPlace(tmp_path)
    file = staged(place, [{"id": {"S": "1"}}])
    md5 = hashlib.md5((tmp_path / file.path).read_bytes(), usedforsecurity=False).hexdigest()
    assert Survey(place)(Staged(file.path, 1, file.bytes, md5=md5)).file.rows == 1
    with pytest.raises(JobFailed, match="other bytes"):
        Survey(place)(Staged(file.path, 1, file.bytes, md5="0" * 32))
    with pytest.raises(JobFailed, match="1 items, not 2"):
        Survey(place)(Staged(file.path, 2, file.bytes, md5=md5))


def _stage_within(folder: Path, limit: int, answers: Any) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    noise = ({"id": {"S": hashlib.sha256(str(n).encode()).hexdigest()}} for n in range(20_000))
    try:
        staged(DiskPlace(folder), noise)
    except CrimeJobsError as error:
        answers.put((error.exit_code, error.message, error.hint))


def test_a_disk_that_takes_no_more_is_said_and_leaves_no_half_file(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    process = context.Process(target=_stage_within, args=(tmp_path, 100_000, answers))
    process.start()
    code, message, hint = answers.get(timeout=60)
    process.join(60)
    assert code == 1
    assert "segment-00000.json.gz can't be written: file too large" in message
    assert "Free some space" in hint
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_base64_of_a_line_is_what_parquet_gets(tmp_path: Path) -> None:
    place = DiskPlace(tmp_path)
    raw = bytes(range(256))
    made = converted(place, [staged(place, [{"id": {"B": raw}}])], ["id"])
    assert pq.read_table(tmp_path / made[1].path).column("id").to_pylist() == [raw]
    assert (tmp_path / made[0].path).read_text() == f"id\n{base64.b64encode(raw).decode()}\n"
