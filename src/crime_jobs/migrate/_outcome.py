"""How a run ended, as its entry says it.

The words of our own errors are kept, of any other only its type, since what it says may hold a row.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from crime_jobs.errors import CrimeJobsError, JobFailed
from crime_jobs.migrate.ledger import now

if TYPE_CHECKING:
    from crime_jobs.migrate.ledger import Entry

#: States of a run.
RUNNING, DONE, FAILED, INTERRUPTED = "running", "done", "failed", "interrupted"
#: An error is shown in an e-mail and on a screen.
_LONGEST = 2000


def outcome_of(facts: Mapping[str, Any], error: BaseException | None, again: str = "") -> Entry:
    """Return what an entry says of an end, in types that JSON has.

    Parameters
    ----------
    facts
        What was counted.
    error
        What ended it; ``None`` if it came to its end.
    again
        How to run it again, if the error does not say what to do.

    Returns
    -------
    dict
        Of the keys of a run's entry ``state``, ``ended``, ``facts``, ``error`` and ``hint``.
    """
    found: Entry = {
        "state": DONE,
        "ended": now(),
        "facts": json.loads(json.dumps(facts, default=str)),
    }
    if isinstance(error, CrimeJobsError):
        found |= {"state": FAILED, "error": error.message[:_LONGEST], "hint": error.hint[:_LONGEST]}
    elif error and _is_interrupted(error):
        found |= {"state": INTERRUPTED, "error": "It was ended with Ctrl-C.", "hint": again}
    elif error:
        hint = f"This is a defect, or Spark's own failure: the run's log says more. {again}"
        found |= {"state": FAILED, "error": type(error).__name__, "hint": hint}
    return found


def _is_interrupted(error: BaseException) -> bool:
    """Whether Ctrl-C is behind an error: what is cut off by it may fail in its own way."""
    seen: BaseException | None = error
    while seen:
        if isinstance(seen, KeyboardInterrupt):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def killed(again: str) -> Entry:
    """Return the end of a run that was killed just now; `again` says how to run it again."""
    return outcome_of({}, JobFailed("The run was killed.", hint=again))
