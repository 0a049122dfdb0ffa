"""Runs that are killed, ended or cut off: the end is told all the same, once, by whoever is left."""

from __future__ import annotations

import os
import shutil
import signal
import zipfile
from pathlib import Path

import pytest

from crime_jobs.migrate import _lease
from tests.conftest import ROOT
from tests.localstack.recorded_world import MAYBE, SHORT, World, until, waits, watchers, world

__all__ = ["world"]


@pytest.mark.faults
def test_a_killed_run_is_told_of_by_its_watcher_and_can_be_run_again_at_once(world: World) -> None:
    """Also that nobody who waits for the end of the run's output waits for the watcher."""
    for table, state in (("T.A", "Table completed"), ("T.B", "Full load")):
        world.ledger.put(f"table#{table}", {"SchemaName": "T", "TableName": table[2:], "TableState": state})
        world.ledger.put(f"partition#{table}#00001", {"rows": 1500, "done": True})
    child = world.start()
    watcher = child.watcher
    watcher.suspend()
    os.killpg(child.process.pid, signal.SIGKILL)
    child.end(5)
    assert watcher.is_running()
    watcher.resume()
    again = world.start()  # it waits for the watcher's clean-up, not for the lease to run out
    again.say("end")
    assert again.end()[0] == 0
    killed, done = sorted((one["Subject"], one["Message"]) for one in world.told(2))
    assert killed[0].endswith(": FAILED")
    assert (
        "Why: The run was killed.\nWhat to do: Run it again: it goes on from the part it was at." in killed[1]
    )
    assert MAYBE not in killed[1]
    assert "\nTables begun:     2\nTables completed: 1\nRows so far:      3,000\n" in killed[1]
    assert done[0].endswith(": done")
    # Sorted, since the two can begin within one second, and are then listed in any order.
    assert sorted(world.states()) == [("migrate", "done", "yes"), ("migrate", "failed", "yes")]


@pytest.mark.faults
def test_killed_with_its_watcher_it_is_told_of_by_the_next_run_of_any_kind(world: World) -> None:
    child = world.start(times=SHORT)
    child.watcher.kill()
    child.kill()
    until(lambda: world.states() == [("migrate", "gone", "no")] or not short_alive(world))
    for kind in ("export", "validate"):  # the second one has nothing more to tell
        world.run_by(kind, SHORT)
    subjects = [one["Subject"].partition(" ")[2] for one in world.told(3)]
    assert sorted(subjects) == [
        f"export {world.task}: done",
        f"migrate {world.task}: FAILED",
        f"validate {world.task}: done",
    ]
    entry = world.entry(child.run)
    assert "gave no sign of life after" in entry["error"]
    assert entry["hint"].endswith("run it again: it goes on from the part it was at.")
    assert entry["ended"] >= entry["started"]


def short_alive(world: World) -> bool:
    """Whether a lease of `SHORT` has not run out."""
    lock = world.ledger.get("lock#migrate") or {}
    return str(lock["until"]) > _lease.now(-SHORT["SKEW_SECONDS"])


@pytest.mark.faults
@pytest.mark.parametrize("both", [False, True], ids=["the run", "the run and its watcher"])
@pytest.mark.parametrize("moment", ["before the publishing", "after the publishing"])
def test_killed_while_it_tells(world: World, moment: str, both: bool) -> None:
    """Before the message is out it is told once in the end; after that twice, and the second says so."""
    child = world.start(holds_up=moment)
    child.say("end")
    assert child.line() == moment
    if both:
        child.watcher.kill()
    child.kill()
    if both:
        # Whoever claimed it may be alive: so long nobody else tells of it.
        world.run_by("validate", SHORT)
        assert world.entry(child.run)["told"] == "claimed"
        world.run_by("export", {**SHORT, "CLAIM_SECONDS": 0.1})
    number = 1 + (moment == "after the publishing")
    said = [one["Message"] for one in world.told(number + 2 * both)]
    mine = [one for one in said if child.run in one]
    assert len(mine) == number
    assert sum(MAYBE in one for one in mine) == 1
    assert all(f"The migration {world.task} is done." in one for one in mine)
    assert world.entry(child.run)["told"] == "yes"


@pytest.mark.faults
@pytest.mark.parametrize("moment", ["before its entry", "before the letting go"])
def test_killed_with_a_lease_that_nobody_lets_go_of(world: World, moment: str) -> None:
    """Its entry is not there, or says that it has ended: when its time is past, the next run takes it."""
    child = world.launch("migrate", times=SHORT, attempts=3, holds_up=moment)
    has_ended = moment == "before the letting go"
    if has_ended:
        assert child.line().startswith("working ")
        child.say("end")
    assert child.line() == moment
    for watcher in watchers(world.task):
        watcher.kill()
    child.kill()
    until(lambda: not short_alive(world))
    world.run_by("migrate", SHORT)
    assert world.states() == [("migrate", "done", "yes")] * (1 + has_ended)
    world.told(1 + has_ended)
    assert world.ledger.get("lock#migrate")["run"] == ""  # type: ignore[index]


@pytest.mark.faults
def test_ctrl_c(world: World) -> None:
    child = world.start()
    os.killpg(child.process.pid, signal.SIGINT)  # as a terminal does
    code, _, err = child.end()
    assert code == -signal.SIGINT
    assert "KeyboardInterrupt" in err
    (said,) = world.told(1)
    assert said["Subject"].endswith(": interrupted")
    assert world.states() == [("migrate", "interrupted", "yes")]


@pytest.mark.faults
def test_sigterm_ends_the_work_where_it_waits(world: World) -> None:
    child = world.start()
    child.process.terminate()
    code, out, _ = child.end()
    assert code == 1
    assert out.startswith("error The run was ended (SIGTERM).")
    (said,) = world.told(1)
    assert "Why: The run was ended (SIGTERM).\n" in said["Message"]
    assert said["MessageAttributes"]["state"]["Value"] == "failed"


@pytest.mark.faults
def test_sigterm_and_soon_after_a_kill(world: World) -> None:
    """As YARN ends a driver: what the run could not write in between, its watcher does, with the right reason."""
    child = world.start(clings=True)
    until(lambda: waits(child.watcher))
    for process in (child.process, child.watcher):  # whoever ends a step tells all of its processes
        process.terminate()
    assert child.line() == "clings"
    child.kill()
    (said,) = world.told(1)
    assert "Why: The run was ended (SIGTERM).\n" in said["Message"]


@pytest.mark.faults
@pytest.mark.parametrize("at_its_end", [False, True], ids=["at work", "at its end"])
def test_a_run_that_was_paused_and_lost_its_lease_stops(world: World, at_its_end: bool) -> None:
    """It stops while it waits for its work; nor does it call itself done if it wakes when that is over."""
    child = world.start(times=SHORT)
    child.process.send_signal(signal.SIGSTOP)
    until(lambda: not short_alive(world))
    taker = world.start(times=SHORT)
    if at_its_end:
        child.say("end")
    child.process.send_signal(signal.SIGCONT)
    assert child.process.wait(5) == 1
    assert f"The run {child.run} stopped: it gave no sign of life" in child.end()[1]
    assert ("migrate", "running", "no") in world.states()  # the one that took over goes on
    taker.say("end")
    assert taker.end()[0] == 0
    world.told(2)
    assert world.states() == [("migrate", "failed", "yes"), ("migrate", "done", "yes")]


@pytest.mark.faults
def test_an_end_that_could_not_be_written_is_written_by_the_watcher(world: World) -> None:
    """The ledger fails just when the run ends: it is done all the same, and not taken for killed."""
    child = world.start(attempts=1)
    until(lambda: waits(child.watcher))
    with world.stack.faults(DYNAMODB_ERROR_PROBABILITY=1.0):
        child.say("end")
        code, _, err = child.end()
    assert code == 0
    assert "could not be written to the ledger" in err
    (said,) = world.told(1)
    assert said["Subject"].endswith(": done")
    assert "1,234,567" in said["Message"]


@pytest.mark.faults
def test_the_code_in_a_zip_that_is_removed_with_its_folder(world: World, tmp_path: Path) -> None:
    """As on YARN: the driver's code is a zip in its working folder, which is gone when the watcher is needed."""
    folder = tmp_path / "container"
    folder.mkdir()
    source = ROOT / "src"
    with zipfile.ZipFile(folder / "code.zip", "w") as archive:
        for path in (source / "crime_jobs").rglob("*"):
            if path.suffix in {".py", ".toml"}:
                text = path.read_text(encoding="utf-8").replace(
                    "The run was killed.", "Killed, says the zip."
                )
                archive.writestr(str(path.relative_to(source)), text)
    variables = {"PYTHONPATH": "code.zip"}
    child = world.launch("migrate", cwd=folder, environ=variables, times={}, attempts=3)
    word, _, child.run = child.line().partition(" ")
    assert word == "working"
    until(lambda: waits(child.watcher))
    shutil.rmtree(folder)
    child.kill()
    (said,) = world.told(1)
    assert "Why: Killed, says the zip.\n" in said["Message"]
