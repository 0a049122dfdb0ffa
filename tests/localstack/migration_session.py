"""Runs jobs in one Spark session on the stack, told by lines of JSON: a session costs ten times what a job does.

Not a test: `tests.localstack.migration.Session` starts it.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Any

from crime_jobs import outcome, settings
from crime_jobs import spark as spark_module
from crime_jobs.errors import CrimeJobsError
from crime_jobs.jobs._runner import run_in
from crime_jobs.registry import check_options, find


def main() -> None:
    # What libraries print must not come between the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    session: Any = None
    for line in sys.stdin:
        asked = json.loads(line)
        known = settings.load("local", asked["settings"])
        if session is None:
            session = spark_module.start(known, "tests")
            session.sparkContext.setLogLevel("ERROR")
        try:
            jobs = find(asked["job"])
            check_options(jobs, asked["options"], known)
            reports = run_in(session, jobs, known, asked["options"])
            said: dict[str, Any] = {"exit_code": 0, "reports": [outcome._brief(r) for r in reports]}
        except CrimeJobsError as error:
            said = {"exit_code": error.exit_code, "message": error.message, "hint": error.hint}
        except Exception:  # noqa: BLE001 - the test shows it
            said = {"exit_code": -1, "message": traceback.format_exc(), "hint": ""}
        answers.write(json.dumps(said) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
