"""How the consumer is: small files that whoever works writes whole, and whoever looks reads."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from crime_jobs.files import write_whole

#: Seconds between two writes of a file, unless what it says has changed in kind.
EVERY = 1.0

SUPERVISOR, SHARDS = "supervisor.json", "shards"


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
