"""A disk that is full under the consumer and under the loader: nothing is lost, and what can be said is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from crime_jobs.errors import JobFailed
from crime_jobs.stream import daemon, supervisor
from crime_jobs.stream._objects import Found
from crime_jobs.stream._redshift import Done
from crime_jobs.stream.history import History, Loaded
from crime_jobs.stream.status import Notes, read_shards
from tests.conftest import DATA, make_settings

#: A file that takes nothing: "No space left on device".
FULL = "/dev/full"


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever is written next goes to a full disk; the file is there, as it is then, and empty."""
    fdopen = os.fdopen

    def opened(handle: int, *given: Any, **more: Any) -> Any:
        os.dup2(device, handle)
        return fdopen(handle, *given, **more)

    device = os.open(FULL, os.O_WRONLY)
    monkeypatch.setattr(os, "fdopen", opened)
    yield
    os.close(device)


def test_status_files_stay_as_they_were_and_nothing_is_left_beside_them(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    notes = Notes(tmp_path, "shard")
    notes.tell("reading")
    request.getfixturevalue("full")
    for state in ("waiting", "reading", "waiting"):
        notes.tell(state)
    assert [one.state for one in read_shards(tmp_path)] == ["reading"]
    assert [file.name for file in (tmp_path / "shards").iterdir()] == ["shard.json"]


@pytest.mark.usefixtures("full")
def test_a_consumer_that_can_not_begin_says_why_and_leaves_no_half_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon, "command", lambda: ["true"])
    settings = make_settings(DATA, "lake").model_copy(update={"region": "ap-south-1"})
    with pytest.raises(JobFailed, match=f"{tmp_path} can't be written: No space left on device"):
        supervisor.run(settings, {}, tmp_path)
    assert not (tmp_path / daemon.WORKER).exists(), "an empty name would be this worker's for ever"
    assert not (tmp_path / daemon.SETTINGS).exists()


#: A processor whose handling fails; were it to come back from there, amazon_kclpy would report success.
FAILS = """
import sys
from pathlib import Path
from types import SimpleNamespace
from crime_jobs.stream.record_processor import Processor, say
say("this can't be written either")
processor = Processor("fir-stream", Path(sys.argv[1]), lambda _: (None, None))
try:
    processor.process_records(SimpleNamespace(records=[]))
finally:
    print("came back")
"""


def test_a_process_whose_log_is_full_still_ends_where_it_fails(tmp_path: Path) -> None:
    with Path(FULL).open("w") as log:
        ended = subprocess.run(
            [sys.executable, "-c", FAILS, str(tmp_path)], stdout=subprocess.PIPE, stderr=log, check=False
        )
    assert (ended.returncode, ended.stdout) == (70, b"")


def test_the_supervisor_goes_on_when_its_log_is_full(tmp_path: Path) -> None:
    run = (
        "import sys; from pathlib import Path; from crime_jobs.stream.supervisor import Supervisor\n"
        "Supervisor(Path(sys.argv[1]), ['sh', '-c', 'echo x >> lives; exit 1'], {}, lambda _: False, 0.0).run()"
    )
    with Path(FULL).open("w") as log:
        subprocess.run([sys.executable, "-c", run, str(tmp_path)], stderr=log, check=False)
    assert len((tmp_path / "lives").read_text().split()) == supervisor.DEATHS


class Redshift:
    """Whose disk is full, or not; it remembers what it has taken."""

    def __init__(self) -> None:
        self.full = True
        self.loaded: list[str] = []
        self.objects: Objects

    def query(self, sql: str, _: Any = None) -> list[dict[str, Any]]:
        return [{"object": one} for one in self.loaded] if "object >= " in sql else []

    def batch(self, sqls: Sequence[str], *_: Any, **__: Any) -> Done:
        (copy,) = (at for at, sql in enumerate(sqls) if sql.startswith("COPY fir_staging"))
        if self.full:
            said = "ERROR: Disk Full Detail: error: Disk Full code: 1016 context: node: 0 CANARY"
            return Done(ok=False, failed=copy, error=said)
        self.loaded += self.objects.claimed
        return Done(ok=True, rows=(1,) * len(sqls))


class Objects:
    """Three sound objects."""

    def __init__(self) -> None:
        self.there = [Found(f"s3://crime-firs/history/{n}", "etag", 9) for n in range(3)]
        self.claimed: list[str] = []

    def pages(self) -> Iterator[list[Found]]:
        yield self.there

    def is_compressed(self, _: Found) -> bool:
        return True

    def wrong_with(self, _: Found) -> str:
        return ""

    def write(self, name: str, content: bytes) -> str:
        if name.endswith("objects.json"):
            self.claimed = [json.loads(line)["object"] for line in content.splitlines()]
        return f"s3://crime-firs/history-loads/{name}"


def test_while_redshifts_disk_is_full_no_object_is_refused_and_all_are_loaded_after_it() -> None:
    redshift, objects = Redshift(), Objects()
    redshift.objects = objects
    history = History(redshift, objects)  # type: ignore[arg-type]
    with pytest.raises(JobFailed, match=r"Loading FIRs: Redshift could not: Disk Full\.") as raised:
        history.load()
    assert "CANARY" not in str(raised.value)
    redshift.full = False
    assert history.load() == Loaded(objects=3, lines=1, firs=1)
    assert redshift.loaded == [one.uri for one in objects.there]


def test_a_loader_that_follows_goes_on_when_its_log_is_full() -> None:
    redshift, objects = Redshift(), Objects()
    redshift.objects, redshift.full = objects, False

    def tell(_: Loaded) -> None:
        with Path(FULL).open("w") as log:
            log.write("loaded")

    next(History(redshift, objects).follow(tell, 0.0))  # type: ignore[arg-type]
    assert len(redshift.loaded) == 3
