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
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crime_jobs.migrate.ledger import Entry, Ledger
    from crime_jobs.settings import Settings

#: What a run says last.
DONE = "done"
#: Seconds between its attempts to write and tell, besides those that each call makes itself. After the last,
#: the next run does it.
PAUSES = (1.0, 3.0, 10.0, 30.0, 60.0)
#: Seconds that a run waits at most for its watcher's end.
LEAVE_SECONDS = 5.0


class Watcher:
    """The watcher, as the run sees it.

    Parameters
    ----------
    settings
        Region and profile; nothing else of them travels, and nothing secret: arguments can be seen by others.
    ledger
        The task's ledger.
    kind, run
        The run's kind and entry.
    again
        How it is run again.
    """

    def __init__(self, settings: Settings, ledger: Ledger, kind: str, run: str, again: str) -> None:
        self._told = json.dumps(
            {
                "env": settings.env,
                "region": settings.region,
                "profile": settings.profile,
                "task": ledger.task,
                "table": ledger.table,
                "kind": kind,
                "run": run,
                "again": again,
            }
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: int | None = None
        self._is_done = False

    def start(self) -> None:
        """Start it; a run without one is remarked on, and goes on."""
        reading, self._pipe = os.pipe()  # neither is inherited, but as the watcher's stdin
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "crime_jobs.migrate._watch", self._told],
                stdin=reading,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={**os.environ, "PYTHONPATH": os.pathsep.join(_places())},
                start_new_session=True,
            )
        except OSError as error:
            from crime_jobs import output

            output.note(
                f"The run has no watcher ({error.strerror}): if it is killed, the next run tells of it."
            )
        finally:
            os.close(reading)

    def send(self, outcome: Entry) -> None:
        """Say how the run is about to end; what is said last counts.

        Parameters
        ----------
        outcome
            What is to be written of it.
        """
        self._write(outcome)

    def done(self) -> None:
        """Say that all is written and told."""
        self._write(DONE)
        self._is_done = True

    def _write(self, what: Any) -> None:
        if self._pipe is not None:
            with suppress(OSError):  # it was killed; then there is nobody to tell
                os.write(self._pipe, json.dumps(what).encode() + b"\n")

    def close(self) -> None:
        """Let it go; wait for its end if it has nothing left to do."""
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None
        if self._process and self._is_done:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(LEAVE_SECONDS)


def _places() -> list[str]:
    """Where this process finds its modules, by paths that outlast a folder of links, as YARN's are."""
    return [str(Path(place or ".").resolve()) for place in sys.path]


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
