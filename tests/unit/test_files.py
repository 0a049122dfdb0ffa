"""A file is replaced whole or stays as it was, and is read by those who may."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from crime_jobs.files import replacing, write_whole


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize(("private", "mode"), [(True, 0o600), (False, 0o640)])
def test_the_umask_says_who_reads_what_is_not_private(tmp_path: Path, private: bool, mode: int) -> None:
    path = tmp_path / "new" / "up.env"
    for text in ("A=1\n", "B=₹\n"):
        write_whole(path, text, private=private)
        assert path.read_text(encoding="utf-8") == text
        assert path.stat().st_mode & 0o777 == mode


def test_a_file_is_written_whole_or_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "page"
    write_whole(path, "old")

    def interrupted() -> None:
        with replacing(path) as file:
            file.write(b"half")
            file.flush()
            assert path.read_text() == "old"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
