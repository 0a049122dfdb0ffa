"""The watcher of a run: a small process of its own, which tells of the run's end if that was killed.

It waits at the end of a pipe whose other end only the run holds. The run writes there how it is about to
end, and at last that all is written and told: then the watcher ends. If the pipe is closed without that,
the run was killed, and the watcher does what it could not do any more.

It has a session of its own, so that neither Ctrl-C nor a kill of the run's process group reaches it; it
does not hold the run's output open; and since YARN removes a container's folder when its driver has ended,
it has everything loaded before it begins to wait.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crime_jobs.migrate._watch import DONE

if TYPE_CHECKING:
    from crime_jobs.migrate.ledger import Entry
    from crime_jobs.settings import Settings

#: Seconds between its attempts to write and tell, besides those that each call makes itself. After the last,
#: the next run does it.
PAUSES = (1.0, 3.0, 10.0, 30.0, 60.0)


def listen(lines: Iterable[bytes]) -> tuple[Entry | None, bool]:
    """Read what the run says, to its end.

    Parameters
    ----------
    lines
        What comes through the pipe.

    Returns
    -------
    tuple
        How the run was about to end, ``None`` if it did not say; and whether all is done.
    """
    outcome = None
    for line in lines:
        try:
            said = json.loads(line)
        except ValueError:  # killed while it wrote
            continue
        if said == DONE:
            return outcome, True
        outcome = said
    return outcome, False


def watch(given: str, lines: Iterable[bytes]) -> None:
    """Wait for the end of a run; if the run can't tell of it, do.

    Parameters
    ----------
    given
        JSON: which run, and where its ledger is.
    lines
        What comes from the run.
    """
    # Here, since these take their time, and only now are the signals ignored.
    from crime_jobs import aws
    from crime_jobs.errors import CrimeJobsError
    from crime_jobs.migrate import _outcome, notify, runs
    from crime_jobs.migrate.ledger import open_ledger
    from crime_jobs.settings import Settings

    told = json.loads(given)
    place = {name: told[name] for name in ("env", "region", "profile")}
    unused: dict[str, Any] = {"landing": "", "lake": "", "spark_conf": None, "sources": {}, "environ": {}}
    settings = Settings(**place, **unused)
    _keep_certificates(settings)
    ledger, sns = open_ledger(settings, told["task"], told["table"]), aws.client("sns", settings)
    with suppress(CrimeJobsError):  # a first call, so that all that a call needs is loaded
        ledger.get(told["run"])
    outcome, is_done = listen(lines)
    if is_done:
        return
    outcome = outcome or _outcome.killed(told["again"])
    for pause in (*PAUSES, 0):
        try:
            runs.finish(ledger, told["kind"], told["run"], outcome)
            notify.tell(ledger, lambda: sns, told["run"], None, by=runs.WATCHER, gone=(runs.RUN,))
        except CrimeJobsError:
            time.sleep(pause)
        else:
            return


def _keep_certificates(settings: Settings) -> None:
    """Name the certificates by a path that outlasts such a folder; they are read for each connection."""
    from botocore import httpsession
    from botocore.session import Session

    named = Session(profile=settings.profile).get_config_variable("ca_bundle")
    if not named and "REQUESTS_CA_BUNDLE" not in os.environ:
        os.environ["AWS_CA_BUNDLE"] = str(Path(httpsession.where()).resolve())


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Whoever ends a step tells all its processes; this one ends when the run has, and not before.
        signal.signal(number, signal.SIG_IGN)
    watch(sys.argv[1], sys.stdin.buffer)
