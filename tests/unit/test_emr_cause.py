"""The probable cause is read out of what a run left."""

from __future__ import annotations

import gzip
import io
import json
import time
from typing import Any

import pytest

from crime_jobs.emr import cause, logs
from crime_jobs.emr.logs import Log
from crime_jobs.emr.runs import Phase, Run, Status
from crime_jobs.emr.screen import show_cause
from crime_jobs.errors import BadInput
from crime_jobs.outcome import describe

TRACEBACK = """Traceback (most recent call last):
  File "/mnt/entry.py", line 14, in <module>
    sys.exit(main())
  File "/mnt/crime_jobs.zip/crime_jobs/cli.py", line 60, in run
    raise ValueError("no such month: 13")
ValueError: no such month: 13
"""


def log(text: str, name: str = "stderr") -> Log:
    return Log(name, f"s3://logs/{name}.gz", text)


@pytest.mark.parametrize(
    ("text", "headline", "hint", "code"),
    [
        (f"26/11/23 INFO x\n{TRACEBACK}26/11/23 INFO bye\n", "ValueError: no such month: 13", "", 1),
        (
            "x\njava.lang.OutOfMemoryError: Java heap space\n\tat a.b(C.java:1)\n",
            "Spark ran out of memory: java.lang.OutOfMemoryError: Java heap space",
            "spark.driver.memory",
            1,
        ),
        (
            'Traceback (most recent call last):\n  File "e.py", line 1\n'
            "py4j.protocol.Py4JJavaError: An error occurred while calling o1.x.\n"
            ": java.lang.OutOfMemoryError: Java heap space\n",
            "Spark ran out of memory: java.lang.OutOfMemoryError: Java heap space",
            "spark.driver.memory",
            1,
        ),
        (
            "26/11/23 ERROR Container killed by YARN for exceeding memory limits. 5.5 GB of 5.5 GB used\n",
            "It was killed for the memory it took",
            "memoryOverhead",
            1,
        ),
        (
            "Traceback (most recent call last):\n  File \"e.py\", line 1\nModuleNotFoundError: No module named 'xyz'\n",
            "A Python package is not in the environment",
            "dependencies",
            1,
        ),
        (
            "error: A landing file can't be used: 01.csv: it is empty.\nCorrect or remove it.\n"
            "26/11/23 ERROR User application exited with status 3\n",
            "A landing file can't be used: 01.csv: it is empty.",
            "Correct or remove it.",
            3,
        ),
        (
            "Error in query: [TABLE_OR_VIEW_NOT_FOUND] no `x`\n",
            "Error in query: [TABLE_OR_VIEW_NOT_FOUND]",
            "",
            1,
        ),
        (
            "one\ntwo\nbash: line 1: nosuch: command not found\n",
            "bash: line 1: nosuch: command not found",
            "",
            1,
        ),
    ],
)
def test_a_log_gives_the_probable_cause(text: str, headline: str, hint: str, code: int) -> None:
    found = cause.probable([log("", "stdout"), log(text)])
    assert found is not None
    assert found.headline.startswith(headline)
    assert hint in found.hint
    assert found.exit_code == code


def test_the_whole_traceback_is_kept_and_only_the_last() -> None:
    found = cause.probable([log(TRACEBACK.replace("13", "12") + "INFO\n" + TRACEBACK + "INFO after\n")])
    assert found is not None
    assert found.traceback.strip() == TRACEBACK.strip()


def test_no_log_gives_no_cause() -> None:
    assert cause.probable([]) is None
    assert cause.probable([log("\n \n")]) is None


def raised(error: Exception) -> Exception:
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


def test_an_outcome_names_error_file_and_traceback() -> None:
    said = describe(raised(BadInput("A landing file can't be used: s3://l/02_x.csv: its header is unknown.")))
    assert (said["state"], said["exit_code"], said["error"]) == ("failed", 3, "BadInput")
    assert said["reading"] == "s3://l/02_x.csv"
    assert "in raised" in said["traceback"]


def test_of_the_jvm_stack_only_the_first_line_is_kept() -> None:
    text = (
        "py4j: An error occurred while calling o1.x.\n: java.io.IOException: gone\n"
        + "\tat a.b(C.java:1)\n" * 90
    )
    lines = describe(raised(RuntimeError(text)))["traceback"].splitlines()
    assert ": java.io.IOException: gone" in lines
    assert not any(line.lstrip().startswith("at ") for line in lines)


class Bucket:
    """An S3 of which only one object is asked for."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def get_object(self, **_: Any) -> dict[str, Any]:
        return {"Body": io.BytesIO(self.body)}


def test_of_a_log_that_unpacks_to_much_only_the_end_is_kept() -> None:
    bomb = gzip.compress(b"0" * (4 * logs.LARGEST) + b"the end")
    assert len(bomb) < 100_000
    text = logs._read(Bucket(bomb), "s3://logs/stderr.gz", "stderr").text
    assert len(text) == logs.LARGEST
    assert text.endswith("the end")


@pytest.mark.parametrize("name", ["stderr", "step stderr"])
def test_a_line_of_a_megabyte_is_read_at_once(name: str) -> None:
    line = "x" * 2_000_000
    begun = time.process_time()
    found = cause.probable([log(f"{line}\n", name), log(f"{line} No module named 'xyz' {line}\n")])
    assert found
    assert "No module named 'xyz'" in found.headline
    assert len(found.headline) < 5000
    assert time.process_time() - begun < 5


def wrote(monkeypatch: pytest.MonkeyPatch, body: bytes, uri: str = "s3://logs/outcomes/1") -> tuple[Any, Run]:
    monkeypatch.setattr("crime_jobs.aws.client", lambda *_: Bucket(body))
    return object(), Run("s-1", "clean_ncrb 3f9a2c1d77e0", uri)


FAILED = {
    "state": "failed",
    "exit_code": 3,
    "error": "BadInput",
    "message": "no",
    "hint": "",
    "traceback": "",
    "reading": None,
}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"\xff\xfe",
        b"[]",
        b"[" * 100_000,
        b'{"state": "done"}',
        b'{"state": "failed"}',
        json.dumps({**FAILED, "exit_code": 0}).encode(),  # a failure must not end as a success
        json.dumps({**FAILED, "traceback": 7}).encode(),
        json.dumps({**FAILED, "message": "x" * 2_000_000}).encode(),
    ],
)
def test_an_outcome_that_is_none_of_ours_is_as_none(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    assert cause.read_outcome(*wrote(monkeypatch, body)) is None


def test_an_outcome_of_ours_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    said = cause.read_outcome(*wrote(monkeypatch, json.dumps(FAILED).encode()))
    assert isinstance(said, cause.Failed)
    written = describe(raised(BadInput("no")))
    assert isinstance(cause.read_outcome(*wrote(monkeypatch, json.dumps(written).encode())), cause.Failed)
    done = cause.read_outcome(*wrote(monkeypatch, b'{"state": "done", "reports": [{"table": "x"}]}'))
    assert isinstance(done, cause.Done)


@pytest.mark.parametrize("body", [b"nope", b"[]", b'{"job": "x", "number": 1, "of": 0}', b'{"of": "x"}'])
def test_a_progress_that_is_none_of_ours_is_as_none(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    assert cause.read_progress(*wrote(monkeypatch, body)) is None


def test_an_option_called_outcome_of_somebody_else_s_step(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cause.read_outcome(*wrote(monkeypatch, json.dumps(FAILED).encode(), "a folder")) is None


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(b"hello\n" * 1000)[:-30],
        gzip.compress(b"hello\n")[:12],
        b"no gzip",
        b"\x1f\x8b\x08\x00bad",
    ],
    ids=["cut", "cut in its header", "no gzip", "damaged"],
)
def test_a_damaged_log_says_so_and_hides_no_cause(body: bytes) -> None:
    assert "s3://logs/stderr.gz is damaged" in logs._read(Bucket(body), "s3://logs/stderr.gz", "stderr").text


ESCAPES = "\x1b]0;owned\x07\x1b[2J\x1b[31mred\x1b[0m\x9b5n\r\nnext\tकखग"


def test_a_log_can_t_speak_to_the_terminal() -> None:
    text = logs._read(Bucket(ESCAPES.encode()), "s3://logs/stderr", "stderr").text
    assert text == "\\x1b]0;owned\\x07\\x1b[2Jred\\x9b5n\nnext\tकखग"


def test_an_outcome_can_t_speak_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    run = Run("s-1", f"raw{ESCAPES}")
    said = cause.Cause(ESCAPES, f"hint {ESCAPES}", f"Traceback {ESCAPES}", ESCAPES, f"EMR {ESCAPES}")
    show_cause(Status(run, "FAILED", Phase.FAILED), said)
    shown = capsys.readouterr().err
    assert "owned" in shown
    assert not {"\x1b", "\x07", "\x9b"} & set(shown)


class Folder:
    """An S3 with a folder that somebody made in its console."""

    def get_paginator(self, _: str) -> Folder:
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        return [{"Contents": [{"Key": "emr/s-1/"}, {"Key": "emr/s-1/stderr.gz"}]}]


def test_the_mark_of_a_folder_is_no_log() -> None:
    assert logs._list(Folder(), "s3://logs/emr/s-1/") == ["s3://logs/emr/s-1/stderr.gz"]
