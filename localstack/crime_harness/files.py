"""Folders of downloads, the lock of the harness, and lines for a shell."""

from __future__ import annotations

import contextlib
import fcntl
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def env_lines(values: Mapping[str, str]) -> str:
    """Return ``KEY=VALUE`` lines that a shell can source.

    Parameters
    ----------
    values
        The variables; a value with blanks or signs is quoted.

    Returns
    -------
    str
    """
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())


def make_once(folder: Path, build: Callable[[Path], None]) -> Path:
    """Make a folder of downloads if it isn't there; one that is there is whole.

    Parameters
    ----------
    folder
        The folder, named by the hash of what it holds.
    build
        Fills an empty folder. What a killed run left behind is thrown away.

    Returns
    -------
    Path
        ``folder``.
    """
    if folder.is_dir():
        return folder
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    build(part)
    part.rename(folder)
    return folder


@contextlib.contextmanager
def only_one(path: Path, console: Console) -> Iterator[None]:
    """Hold a lock while something is done; a second process waits for it and says so.

    Parameters
    ----------
    path
        The lock file.
    console
        Where to say that we wait.

    Yields
    ------
    None
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            console.print(f"Another process holds {path}; waiting for it …")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
