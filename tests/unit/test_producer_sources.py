"""Where FIRs are read from: lines whatever they are cut into, a file that grows, is rotated, is cut short."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crime_jobs.errors import BadInput, JobFailed
from fir_producer import positions, sources
from fir_producer.positions import FileId, Position, Tracker
from fir_producer.sources import FileSource, Item, Line, Splitter, item_of, lines_of
from tests.unit.fir_forms import CANARY, form


def line(number: int) -> bytes:
    return json.dumps(form(number)).encode() + b"\n"


def lines(*numbers: int) -> bytes:
    return b"".join(map(line, numbers))


class Writer:
    """Whoever writes the file that is followed: does the next thing whenever the reader waits."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path, self.notes = path, list[str]()
        self._steps: Iterator[Callable[[], object]] = iter(())
        self._over = False
        monkeypatch.setattr(sources, "POLL", 0)

    def does(self, *steps: Callable[[], object]) -> None:
        self._steps, self._over = iter(steps), False

    def add(self, content: bytes, to: Path | None = None) -> Callable[[], object]:
        def write() -> None:
            with (to or self.path).open("ab") as file:
                file.write(content)

        return write

    def rotate(self, name: str = ".1") -> Callable[[], object]:
        return lambda: self.path.rename(self.path.with_name(self.path.name + name))

    def _wait(self) -> None:
        step = next(self._steps, None)
        if step is None:
            self._over = True
        else:
            step()

    def follow(self, since: Position | None = None) -> list[Item]:
        source = FileSource(
            self.path,
            follow=True,
            since=since,
            stopped=lambda: self._over,
            waiting=self._wait,
            note=self.notes.append,
        )
        return list(source.items())

    def read(self, since: Position | None = None) -> list[int]:
        return numbers(self.follow(since))


def numbers(items: list[Item]) -> list[int]:
    assert all(item.fir for item in items), [item.reason for item in items]
    return [item.fir.fir_number for item in items if item.fir]


@pytest.fixture
def writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Writer:
    return Writer(tmp_path / "firs.jsonl", monkeypatch)


@given(st.lists(st.binary(max_size=30).filter(lambda b: b"\n" not in b)), st.data())
def test_lines_are_the_same_whatever_the_bytes_are_cut_into(parts: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(part + b"\n" for part in parts)
    splitter, left = Splitter(), whole
    found = list[Line]()
    while left:
        size = data.draw(st.integers(1, len(left)))
        found += splitter.feed(left[:size])
        left = left[size:]
    assert [one.content for one in found] == parts
    assert [one.number for one in found] == list(range(1, len(parts) + 1))
    assert not found or found[-1].end == len(whole)
    assert list(splitter.end()) == []


@pytest.mark.parametrize("ending", [b"\n", b""])
def test_a_line_that_is_too_long_is_passed_over_with_its_position_and_never_kept(
    monkeypatch: pytest.MonkeyPatch, ending: bytes
) -> None:
    monkeypatch.setattr(sources, "MAX_LINE", 100)
    splitter = Splitter()
    found = list(splitter.feed(b"a" * 100 + b"\n"))
    for _ in range(50):
        found += splitter.feed(b"b" * 40)
        assert len(splitter._rest) <= 100
    found += [*splitter.feed(ending + (b"c\n" if ending else b"")), *splitter.end()]
    said = [(one.number, one.content is None, one.end) for one in found]
    assert said == [(1, False, 101), (2, True, 2101 + len(ending)), *([(3, False, 2104)] if ending else [])]
    item = item_of(found[1])
    assert item
    assert item.reason == "longer than 100 bytes"


def test_bad_lines_are_told_by_number_and_field_and_nothing_else_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "firs.jsonl"
    bad = json.dumps(form(7, fir_year=CANARY)).encode()
    path.write_bytes(
        b"\xef\xbb\xbf"
        + line(1)
        + b"\r\n"
        + bad
        + b"\r\n"
        + b'{"text": "'
        + CANARY.encode()
        + b"\n\xff\n"
        + line(2)[:-1]
    )
    items = list(FileSource(path).items())
    assert [(item.line, item.fir and item.fir.fir_number) for item in items] == [
        *((1, 1), (3, None), (4, None), (5, None), (6, 2))
    ]
    assert items[1].reason == "fir_year: int_parsing"
    assert CANARY not in " ".join(item.reason for item in items)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"none\.jsonl is not there"):
        list(FileSource(tmp_path / "none.jsonl").items())


def test_a_file_that_grows_is_followed_and_half_a_line_waits_for_its_end(writer: Writer) -> None:
    half = line(3)
    writer.does(
        writer.add(lines(1)),
        writer.add(b"\n" + lines(2) + half[:40]),
        writer.add(half[40:-1]),
        writer.add(b"\n"),
    )
    assert writer.read() == [1, 2, 3]
    assert writer.notes == []


def test_half_a_line_is_not_taken_when_the_reader_is_stopped(writer: Writer) -> None:
    writer.does(writer.add(lines(1) + line(2)[:50]))
    items = writer.follow()
    assert numbers(items) == [1]
    writer.does(writer.add(line(2)[50:]))
    assert writer.read(items[-1].position) == [2]


def test_rotation_loses_nothing_though_the_writer_goes_on_in_the_old_file_for_a_while(writer: Writer) -> None:
    old = writer.path.with_name("firs.jsonl.1")
    writer.does(
        writer.add(lines(1)),
        writer.rotate(),
        writer.add(lines(2), to=old),
        writer.path.touch,
        writer.add(lines(3) + line(4)[:-1], to=old),
        writer.add(lines(5)),
        writer.add(lines(6)),
    )
    items = writer.follow()
    assert numbers(items) == [1, 2, 3, 4, 5, 6]
    assert [item.line for item in items] == [1, 2, 3, 4, 1, 2]
    assert writer.notes == []


@pytest.mark.parametrize("since", range(1, 8))
def test_it_goes_on_after_rotations_from_wherever_it_was(writer: Writer, since: int) -> None:
    writer.does(writer.add(lines(1, 2, 3)))
    items = writer.follow()
    for name, number in ((".3", 4), (".2", 6)):
        writer.rotate(name)()
        writer.does(writer.add(lines(number, number + 1)))
        items += writer.follow(items[-1].position)
    assert numbers(items) == [1, 2, 3, 4, 5, 6, 7]
    (writer.path.parent / "firs.jsonl.2.gz").write_bytes(b"packed")
    (writer.path.parent / "firs.jsonl.rejects").write_bytes(b"not ours")
    writer.does()
    assert writer.read(items[since - 1].position) == list(range(since + 1, 8))
    assert writer.notes == []


def test_a_file_that_is_cut_short_is_read_from_its_beginning(writer: Writer) -> None:
    writer.does(
        writer.add(lines(1, 2)),
        lambda: os.truncate(writer.path, 0),
        writer.add(lines(3)),
        lambda: writer.path.write_bytes(lines(11, 12, 13)),  # cut and longer again between two looks
    )
    assert writer.read() == [1, 2, 3, 11, 12, 13]
    assert len(writer.notes) == 2
    assert "cut short or written anew" in writer.notes[0]


def test_a_file_that_was_written_anew_meanwhile_is_read_from_its_beginning(writer: Writer) -> None:
    writer.does(writer.add(lines(1, 2)))
    items = writer.follow()
    writer.path.write_bytes(lines(5, 6, 7))
    writer.does()
    assert writer.read(items[-1].position) == [5, 6, 7]
    assert "written anew" in writer.notes[0]


def test_what_is_gone_is_said_and_the_new_file_read_whole(writer: Writer, tmp_path: Path) -> None:
    writer.does(writer.add(lines(1)))
    items = writer.follow()
    other = tmp_path / "other"
    other.write_bytes(lines(2))
    shutil.move(other, writer.path)
    writer.does()
    assert writer.read(items[-1].position) == [2]
    assert "the old one is gone" in writer.notes[0]


def test_a_position_is_kept_whole_and_holds_no_text(tmp_path: Path, writer: Writer) -> None:
    writer.does(writer.add(lines(1)))
    position = writer.follow()[0].position
    assert position
    path = tmp_path / "position"
    assert positions.load(path) is None
    positions.save(path, position)
    assert positions.load(path) == position
    assert CANARY not in path.read_text()
    assert not list(tmp_path.glob("*.new"))
    for content in ("", "[]", "{}", '{"file": 1}'):
        path.write_text(content)
        with pytest.raises(BadInput, match="holds no position"):
            positions.load(path)
    with pytest.raises(JobFailed, match="can't be written"):
        positions.save(tmp_path / "none" / "position", position)


@given(st.permutations(range(8)), st.sets(st.integers(0, 7)))
def test_the_position_is_before_the_first_that_is_not_done(order: list[int], never: set[int]) -> None:
    tracker = Tracker()
    marks = [tracker.begin(Position(FileId(1, 1), n, n)) for n in range(8)]
    done = set[int]()
    for number in order:
        if number not in never:
            tracker.done(marks[number])
            done.add(number)
        first = next((n for n in range(8) if n not in done), 8)
        assert (tracker.position.line if tracker.position else -1) == first - 1


def test_a_stream_is_cut_into_lines_and_its_last_needs_no_end() -> None:
    assert [one.content for one in lines_of([b"a\nb", b"c\n", b"d"])] == [b"a", b"bc", b"d"]
