"""The progress bar of packaging."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from crime_jobs.emr import _bar
from crime_jobs.emr.package import Step

if TYPE_CHECKING:
    import pytest


def test_each_thing_has_one_bar_on_stderr_whoever_tells_of_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"FORCE_COLOR": "1", "TERM": "xterm-256color", "COLUMNS": "120"}.items():
        monkeypatch.setenv(name, value)
    with _bar.progress() as tell:
        tell(Step("fetching 3 packages", 0, None))

        def send(name: str) -> None:
            for done in range(0, 3_000_001, 500_000):
                tell(Step(name, done, 3_000_000))

        threads = [threading.Thread(target=send, args=(f"part {number}",)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    said = capsys.readouterr()
    assert said.out == ""
    last = said.err.split("fetching 3 packages")[-1]  # each picture begins with the first bar
    for number in range(4):
        assert last.count(f"part {number}") == 1
    assert last.count("3.0/3.0 MB") == 4
