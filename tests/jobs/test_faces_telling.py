"""A long match tells how far it is: by what Spark's tasks have counted, and by nothing else."""

from __future__ import annotations

import queue
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from crime_jobs.faces._matcher import Tally
from crime_jobs.faces._telling import Telling, told

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CANARY = "canary-vasanti"


def test_it_tells_of_the_tasks_that_have_ended_while_others_work(spark: SparkSession, tmp_path: Path) -> None:
    """The last task waits until a line was told, which therefore came in the middle of the match."""
    lines: queue.Queue[str] = queue.Queue()
    go = tmp_path / CANARY

    def work(names: list[str]) -> Tally:
        while "last" in names and not Path(names[0]).exists():
            time.sleep(0.02)
        return Tally(photographs=2, faces=3, new=1, unreadable=Counter({"damaged": 1}))

    parts = [[f"{CANARY}.jpg"], [f"{CANARY}-2.jpg"], [str(go), "last"]]
    with (
        Telling(spark.sparkContext, 9, every=0.05, tell=lines.put) as telling,
        ThreadPoolExecutor(1) as pool,
    ):
        job = spark.sparkContext.parallelize(parts, 3).map(telling.counting(work))
        done = pool.submit(job.collect)
        while "6 of 9 photographs, 6 faces, 2 new leads; " not in (line := lines.get(timeout=60)):
            pass
        assert not done.done()
        go.touch()
        assert sum(tally.photographs for tally in done.result(60)) == 6
    assert line.endswith(" left.")
    assert "a second, about " in line
    told_at_the_end = lines.qsize()
    time.sleep(0.2)
    assert lines.qsize() == told_at_the_end
    assert not any(CANARY in one for one in [line, *lines.queue])


@pytest.mark.parametrize(
    ("tally", "seconds", "said"),
    [
        (Tally(), 30, "0 of 10,000 photographs, 0 faces, 0 new leads after 30 s."),
        (
            Tally(photographs=1000, faces=1500, new=7, unreadable=Counter({"damaged": 200}), already=300),
            300,
            "1,500 of 10,000 photographs, 1,500 faces, 7 new leads; 5.0 photographs a second, about 28 min left.",
        ),
        (
            Tally(photographs=100),
            1000,
            "100 of 10,000 photographs, 0 faces, 0 new leads; 0.1 photographs a second, about 27.5 h left.",
        ),
        (
            Tally(photographs=9990),
            999,
            "9,990 of 10,000 photographs, 0 faces, 0 new leads; 10.0 photographs a second, about 1 s left.",
        ),
    ],
)
def test_what_is_told(tally: Tally, seconds: float, said: str) -> None:
    assert told(tally, 10_000, seconds) == said
