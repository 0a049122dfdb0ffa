"""A run that does nothing but be recorded, told what to do by lines on its stdin.

Not a test: `tests.localstack.recorded_world` starts it, as a process of its own that can be killed.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from concurrent.futures import Future
from typing import Any

from crime_jobs import aws, settings
from crime_jobs.errors import CrimeJobsError, JobFailed
from crime_jobs.migrate import _lease, notify, runs
from crime_jobs.migrate.ledger import Ledger

#: Stands for what must never be told: a row, a password.
CANARY = "Sita-Devi-4711"


def say(word: str) -> None:
    os.write(1, f"{word}\n".encode())


def hold_up(moment: str) -> None:
    """Stop for good at a moment of a run, so that the process can be killed there."""
    publish = notify._publish

    def stop(*_: Any, **__: Any) -> None:
        say(moment)
        time.sleep(600)

    if moment == "before its entry":
        Ledger.put = stop  # type: ignore[method-assign]
        return
    if moment == "before the letting go":
        _lease.let_go = stop  # type: ignore[assignment]
        return

    def slow(client: Any, topic: str, what: notify.Message) -> None:
        if moment == "after the publishing":
            publish(client, topic, what)
        stop()

    notify._publish = slow


def work(record: runs.Record, asked: dict[str, Any]) -> None:
    """Wait, as a job does, for another thread, until stdin says how to end."""
    name_of_a_victim = CANARY
    record.facts.update(asked["facts"])
    said: Future[str] = Future()

    def listen() -> None:
        said.set_result(sys.stdin.readline().strip())

    threading.Thread(target=listen, daemon=True).start()
    say(f"working {record.run}")
    try:
        how = said.result()
    except BaseException:
        if asked.get("clings"):  # clean-up that takes long: Spark cancelling its jobs
            say("clings")
            time.sleep(600)
        raise
    if how == "fail":
        raise JobFailed("2 tables failed. T.A could not be moved.", hint="Look at it.") from ValueError(
            CANARY
        )
    if how == "break":
        raise ValueError(f"the row of {name_of_a_victim} is odd")


def main() -> None:
    asked = json.loads(sys.argv[1])
    for name, value in asked["times"].items():
        setattr(_lease if hasattr(_lease, name) else notify, name, value)
    if "holds_up" in asked:
        hold_up(asked["holds_up"])
    known = settings.load("local", {"landing": "nowhere", "lake": "a-lake"})
    ledger = Ledger(aws.client("dynamodb", known, attempts=asked["attempts"]), asked["task"])
    try:
        with runs.recorded(
            known, ledger, asked["kind"], asked["topic"], again=asked.get("again", "")
        ) as record:
            work(record, asked)
    except CrimeJobsError as error:
        say(f"error {error}")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
