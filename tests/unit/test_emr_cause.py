"""The probable cause is read out of what a run left."""

from __future__ import annotations

import gzip
import io
from typing import Any

import pytest

from crime_jobs.emr import cause, logs
from crime_jobs.emr.logs import Log
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
