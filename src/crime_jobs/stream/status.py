"""How the consumer is: small files that whoever works writes whole, and whoever looks reads."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from crime_jobs.files import write_whole
from crime_jobs.model.fir_event import iso

#: Seconds between two writes of a file, unless what it says has changed in kind.
EVERY = 1.0

#: Seconds without a word after which a process that reads is not taken to live: it speaks each second, and at
#: least every ten while it waits (`crime_jobs.stream.patience.LONGEST`).
SILENT = 30.0

SUPERVISOR, SHARDS = "supervisor.json", "shards"

#: States of those who are done, and say nothing more.
_DONE = {"lost", "ended", "stopped", "failed"}


class ShardStatus(BaseModel):
    """How a shard is being read; all numbers are since its process began.

    Parameters
    ----------
    shard
        Its name.
    pid
        Of the process that reads it.
    state
        ``reading``, ``waiting`` (something refuses for now), ``lost`` (another worker has it), ``ended``.
    sequence, sub_sequence
        The last checkpoint.
    millis_behind
        How far behind the newest record.
    counts
        Records by what became of them; ``dead`` are those in the dead-letter queue.
    at, checkpoint_at
        When this was said, and when the last checkpoint was made; seconds since 1970.
    """

    shard: str
    pid: int
    state: str = "reading"
    sequence: str | None = None
    sub_sequence: int = 0
    millis_behind: int = 0
    counts: dict[str, int] = {}
    at: float = 0.0
    checkpoint_at: float = 0.0

    def silent(self, now: float) -> bool:
        """Tell whether it should have said something, and did not: it was killed, or its disk is full."""
        return self.state not in _DONE and now - self.at > SILENT


class SupervisorStatus(BaseModel):
    """How the daemon is.

    Parameters
    ----------
    pid, daemon
        Of the supervisor and of the daemon; ``None`` while there is none.
    state
        ``running``, ``restarting``, ``stopping``, ``stopped``, ``failed``.
    restarts
        How often the daemon was started again.
    since
        When the daemon was started; seconds since 1970.
    """

    pid: int
    daemon: int | None = None
    state: str = "running"
    restarts: int = 0
    since: float = 0.0


def told(supervisor: SupervisorStatus | None, shards: Sequence[ShardStatus], now: float) -> str | None:
    """Return how the consumer is, in a word; a state that nobody can have now is not passed on.

    Parameters
    ----------
    supervisor, shards
        What their files say: whoever was killed has left what it said last.
    now
        The time, seconds since 1970.

    Returns
    -------
    str or None
        The supervisor's state; or since when it, or the process of which shard, was not heard of. ``None`` if
        there never was one.
    """
    if supervisor is None:
        return None
    if supervisor.state in _DONE:
        return supervisor.state
    if not lives(supervisor.pid):
        last = max([supervisor.since, *(shard.at for shard in shards)])
        return f"not heard of since {_clock(last)}"
    silent = [f"{one.shard} not heard of since {_clock(one.at)}" for one in shards if one.silent(now)]
    return "; ".join([supervisor.state, *silent])


def _clock(seconds: float) -> str:
    return iso(datetime.fromtimestamp(seconds, UTC))


def lives(pid: int) -> bool:
    """Tell whether there is a process of this number.

    Parameters
    ----------
    pid
        The number.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True


class Notes:
    """Keeps the file of one shard.

    Parameters
    ----------
    folder
        The consumer's state folder.
    shard
        The shard.
    """

    def __init__(self, folder: Path, shard: str) -> None:
        self._path = folder / SHARDS / f"{shard}.json"
        self.now = ShardStatus(shard=shard, pid=os.getpid())
        self._told = ("", 0.0)

    def count(self, kinds: Iterable[str]) -> None:
        """Count what became of records."""
        for kind in kinds:
            self.now.counts[kind] = self.now.counts.get(kind, 0) + 1

    def tell(self, state: str, *, at_once: bool = False) -> None:
        """Write the file, if the state is another, or the last time is long enough ago, or at once.

        A disk that is full is no reason to stop reading.
        """
        now = time.time()
        before, when = self._told
        if state == before and now - when < EVERY and not at_once:
            return
        self._told = (state, now)
        self.now.state, self.now.at = state, now
        with contextlib.suppress(OSError):
            write(self._path, self.now)


def write(path: Path, said: BaseModel) -> None:
    """Write a file as `crime_jobs.files.replacing` does.

    Parameters
    ----------
    path
        The file; its folder is made.
    said
        What it says.

    Raises
    ------
    OSError
        As there.
    """
    write_whole(path, said.model_dump_json(), private=True)


def read_shards(folder: Path) -> list[ShardStatus]:
    """Read what the shards' processes say.

    Parameters
    ----------
    folder
        The consumer's state folder.

    Returns
    -------
    list of ShardStatus
        By name; files that are none are passed over.
    """
    found = []
    for path in sorted((folder / SHARDS).glob("*.json")):
        try:
            found.append(ShardStatus.model_validate(_read(path)))
        except (OSError, ValueError, ValidationError):
            continue
    return found


def read_supervisor(folder: Path) -> SupervisorStatus | None:
    """Read what the supervisor says; ``None`` if there never was one.

    Parameters
    ----------
    folder
        The consumer's state folder.
    """
    try:
        return SupervisorStatus.model_validate(_read(folder / SUPERVISOR))
    except (OSError, ValueError, ValidationError):
        return None


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def state_folder(application: str, given: Path | None = None) -> Path:
    """Return the folder in which a consumer of this machine keeps its files.

    Parameters
    ----------
    application
        Name of the consumer.
    given
        The folder, if the user names one.

    Returns
    -------
    Path
    """
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return (given or Path(base).expanduser() / "crime-jobs" / application).absolute()
