"""The command without servers: exit codes, what it says, how a run ends, a quick start; identity is never told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from crime_jobs import aws, sealing
from crime_jobs.errors import AwsRefused
from crime_jobs.model.fir import BadFir, Fir, json_schema
from fir_producer import delivery, runs
from fir_producer.cli import main
from fir_producer.sender import SenderClosed
from tests.conftest import DATA, ROOT
from tests.unit.fir_forms import CANARY, REFUSED, FakeSender, form


class World:
    """The stream, the key and the ledger of a test."""

    def __init__(self) -> None:
        self.sender: FakeSender
        self.items: list[dict[str, Any]] = []
        self.fails_noting = False
        self.metrics: dict[str, Any] = {}

    def open(self, told: Any) -> FakeSender:
        self.sender = FakeSender(told)
        return self.sender

    def put_item(self, Item: dict[str, Any], **_: Any) -> None:  # noqa: N803
        if self.fails_noting:
            raise AwsRefused("Noting was refused.")
        self.items.append({name: next(iter(value.values())) for name, value in Item.items()})

    def put_metric_data(self, MetricData: list[dict[str, Any]], **_: Any) -> None:  # noqa: N803
        self.metrics = {one["MetricName"]: one.get("Value") for one in MetricData}

    @property
    def states(self) -> list[str]:
        return [item["state"] for item in self.items]


class FakeSealer:
    def __init__(self, *_: Any) -> None:
        self.seal = lambda subject, content: "c2VhbGVk"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    made = World()
    monkeypatch.setattr(sealing, "Sealer", FakeSealer)
    monkeypatch.setattr(runs, "opener", lambda *_: made.open)
    monkeypatch.setattr(aws, "client", lambda *_: made)
    monkeypatch.chdir(tmp_path)
    return made


def write(path: Path, *forms: Any) -> str:
    path.write_text("".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in forms))
    return str(path)


def test_a_run_is_summed_up_reported_and_noted(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write(tmp_path / "firs", form(1), form(2), form(1))
    assert main(["send", source, "--report", "report.json"]) == 0
    out, _ = capsys.readouterr()
    said = json.loads(out)
    assert said == json.loads(Path("report.json").read_text())
    assert (said["sent"], said["confirmed"], said["distinct_firs"]) == (3, 3, 2)
    assert world.states == ["running", "done"]
    assert (world.items[-1]["source"], world.items[-1]["distinct_firs"]) == (source, "2")
    assert "ended" not in world.items[0]
    assert world.sender.closed
    assert CANARY.encode() not in b"".join(world.sender.data)


def test_cloudwatch_is_told_when_asked(world: World, tmp_path: Path) -> None:
    assert main(["send", write(tmp_path / "firs", form(1), form(2)), "--metrics"]) == 0
    assert world.metrics["RecordsConfirmed"] == 2


def test_what_is_not_confirmed_is_exit_1_and_listed_by_key(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write(tmp_path / "firs", form(1), form(REFUSED), "{}", form(2))
    assert main(["send", source, "--failed", "failed", "--rejects", "rejects"]) == 1
    _, err = capsys.readouterr()
    assert "1 of 3 FIRs were not confirmed (1 Throttled)." in err
    assert json.loads(Path("failed").read_text()) == {
        "fir_key": "IN-UP/Lucknow/A/2026/0013", "line": 2, "error_code": "Throttled", "attempts": 1,
    }  # fmt: skip
    assert json.loads(Path("rejects").read_text())["line"] == 3
    assert [json.loads(data)["fir_number"] for data in world.sender.data] == [1, 2]
    assert world.states[-1] == "failed"
    assert CANARY not in err + Path("failed").read_text()


def test_bad_lines_are_exit_3_at_the_end_and_nothing_else_is_lost(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    future = form(5, reported_at="2199-01-01T00:00:00Z")
    long = form(6, text="\N{DEVANAGARI LETTER A}" * 50_000)  # no reader takes so much, sealed
    source = write(tmp_path / "firs", form(1), *(12 * [form(2, fir_year=CANARY)]), future, form(3), long)
    assert main(["send", source, "--rejects", "rejects"]) == 3
    _, err = capsys.readouterr()
    assert f"{source}, line 2: fir_year: int_parsing" in err
    assert "line 13" not in err  # ten are said, the rest counted
    assert "13 lines are no FIRs; all others were taken." in err
    told = [json.loads(line) for line in Path("rejects").read_text().splitlines()]
    assert {key for one in told for key in one} == {"source", "line", "reason"}
    assert told[-1]["reason"] == "reported_at: in the future"
    assert CANARY not in err + Path("rejects").read_text()
    assert [json.loads(data)["fir_number"] for data in world.sender.data] == [1, 3, 6]


def test_a_fir_too_long_when_sealed_is_a_bad_line() -> None:
    with pytest.raises(BadFir, match="identity: string_too_long"):
        delivery.event_of(Fir.parse(form(1)), lambda subject, content: "x" * 200_001)


def test_a_protected_fir_is_never_sealed_let_alone_sent(world: World, tmp_path: Path) -> None:
    def seal(subject: str, content: bytes) -> str:
        raise AssertionError

    child = Fir.parse(form(1, victims=[{"name": CANARY, "age": 12}]))
    assert delivery.event_of(child, seal).identity is None


def test_a_stream_that_refuses_for_good_is_exit_4(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: Any) -> None:
        raise SenderClosed("Nothing more goes to fir-stream: no.")

    monkeypatch.setattr(FakeSender, "put", refuse)
    assert main(["send", write(tmp_path / "firs", form(1))]) == 4
    assert "Nothing more goes to fir-stream" in capsys.readouterr().err
    assert world.states == ["running", "failed"]
    assert world.sender.closed


def test_a_run_that_can_not_be_noted_does_not_begin(world: World, tmp_path: Path) -> None:
    world.fails_noting = True
    assert main(["send", write(tmp_path / "firs", form(1))]) == 4
    assert world.sender.data == []
    assert world.sender.closed


def test_a_run_that_can_not_begin_is_not_noted(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise AwsRefused("Listing the shards was refused.")

    monkeypatch.setattr(world, "open", refuse)
    assert main(["send", write(tmp_path / "firs", form(1))]) == 4
    assert world.states == []


def test_the_first_ctrl_c_sends_what_was_taken_and_says_so(
    world: World, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put = FakeSender.put

    def interrupted(self: FakeSender, key: str, data: bytes, token: Any) -> None:
        put(self, key, data, token)
        if self.counts.accepted == 5:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(FakeSender, "put", interrupted)
    assert main(["generate", "--rate", "10000", "--data", str(DATA)]) == 130
    _, err = capfd.readouterr()
    assert "Stopping: what was taken is sent first." in err
    assert "Stopped. All " in err
    assert world.sender.closed
    assert world.states == ["running", "stopped"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


HELD = """
import os, signal, sys, time
from crime_jobs import aws, sealing
from fir_producer import runs
from fir_producer.cli import main
from tests.unit.fir_forms import FakeSender
from tests.unit.test_producer_cli import FakeSealer, World

def close(self, timeout=30.0):  # nothing answers: what was taken waits for its outcome
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)

def put(self, *record):
    taken(self, *record)
    os.kill(os.getpid(), signal.SIGINT)

taken, FakeSender.put, FakeSender.close = FakeSender.put, put, close
world = World()
sealing.Sealer, runs.opener, aws.client = FakeSealer, lambda *_: world.open, lambda *_: world
sys.exit(main(["generate", "--rate", "100", "--data", sys.argv[1]]))
"""


def test_a_second_ctrl_c_leaves_at_once_whatever_has_no_outcome_and_says_so(tmp_path: Path) -> None:
    left = subprocess.run(
        [sys.executable, "-c", HELD, str(DATA)], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    assert left.returncode == 130, left.stderr
    assert "Stopping: what was taken is sent first." in left.stderr
    assert "Left at once: what had no outcome yet may or may not have been sent." in left.stderr
    assert "Stopped." not in left.stderr
    assert CANARY not in left.stderr


def test_what_follows_a_file_stops_at_a_gap_and_its_position_is_before_it(
    world: World, tmp_path: Path
) -> None:
    source = write(tmp_path / "firs", form(1), "{}", form(REFUSED), form(2))
    assert main(["send", source, "--follow"]) == 1
    position = json.loads((tmp_path / ".firs.position").read_text())
    assert position["line"] == 2


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["send"], 2, "Missing argument"),
        (["send", "-", "--follow"], 2, "--follow is for a file"),
        (["send", "firs", "--position", "p"], 2, "--position for --follow"),
        (["send", "none"], 3, "none is not there"),
        (["send", "none", "--rejects", "no/such"], 2, "no/such can't be written"),
        (["send", "none", "--report", "no/such"], 2, "no/such can't be written"),
        (["send", "none", "--env", "moon"], 2, "No environment is called 'moon'"),
        (["generate", "--zero", "2"], 2, "less than or equal to 1"),
        (["generate", "--data", "none"], 3, "can't be read"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_a_code(
    world: World, arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    err = capsys.readouterr().err
    assert said in " ".join(err.replace("│", " ").split())
    assert "Traceback" not in err


def test_a_dry_run_prints_events_without_identity_and_asks_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write(tmp_path / "firs", form(1), form(2, fir_year=CANARY))
    assert main(["send", source, "--dry-run"]) == 3
    assert main(["generate", "--count", "5", "--seed", "1", "--dry-run", "--data", str(DATA)]) == 0
    out, err = capsys.readouterr()
    events = [json.loads(line) for line in out.splitlines()]
    assert len(events) == 6
    assert all("identity" not in event for event in events)
    assert CANARY not in out + err
    assert "Complainant" not in out


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == json_schema()


def test_nothing_heavy_is_imported_before_it_is_needed_and_no_spark_ever() -> None:
    heavy = ["pyspark", "pandas", "pyarrow", "numpy", "boto3", "aws_encryption_sdk"]
    code = "import sys, fir_producer.cli; print([m for m in sys.argv[1:] if m in sys.modules])"
    command = [sys.executable, "-c", code, *heavy]
    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert said.stdout.strip() == "[]"
    rest = "import sys, fir_producer.runs, fir_producer.lambda_handler, fir_producer.generated, fir_producer.sender"
    said = subprocess.run(
        [sys.executable, "-c", f"{rest}; print([m for m in sys.argv[1:] if m in sys.modules])", *heavy[:4]],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    assert said.stdout.strip() == "[]"
