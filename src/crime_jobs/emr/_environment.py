"""The archive of third-party packages, kept between runs: it takes a while to make and seldom changes."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from crime_jobs.emr import _wheels
from crime_jobs.emr._archive import make_tar
from crime_jobs.emr._wheels import Architecture
from crime_jobs.errors import CrimeJobsError

#: To be raised when the rules of packing change, so that no archive made by the old ones is taken.
RECIPE = 1

#: Told what is going on, how many bytes of it are done, and how many there are (``None``: not known).
Tell = Callable[[str, int, int | None], None]


def cache_folder() -> Path:
    """Return the folder that archives are kept in."""
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(home).expanduser() / "crime-jobs" / "package"


def environment(architecture: Architecture, tell: Tell) -> tuple[Path, str, dict[str, str]]:
    """Make the archive, or take the one that was made before from the same versions.

    Parameters
    ----------
    architecture
        The processor of the cluster.
    tell
        Told what is going on.

    Returns
    -------
    tuple
        The file, its SHA-256 and the packages in it (name to version).

    Raises
    ------
    CrimeJobsError
        If a wheel can't be had or is not sound, or the cache can't be written.
    """
    wanted = _wheels.pins(architecture)
    recipe = [RECIPE, _wheels.platforms(architecture), wanted]
    name = hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:16]
    folder = cache_folder() / f"{name}-{architecture}"
    try:
        if not folder.is_dir():
            with _only_one(folder.with_suffix(".lock"), tell):
                if not folder.is_dir():  # made by another process while we waited
                    _build(folder, wanted, architecture, tell)
        archive = next(folder.glob("*.tar.gz"))
    except OSError as error:
        raise CrimeJobsError(
            f"The environment can't be kept in {folder.parent}: {error.strerror or error}.",
            hint="It takes some 300 MB while it is made; XDG_CACHE_HOME names another place.",
        ) from error
    return archive, archive.name.removesuffix(".tar.gz"), wanted


def forget(archive: Path) -> None:
    """Throw an archive away that was damaged after it was made; the next run makes it anew.

    Parameters
    ----------
    archive
        As `environment` returned it.
    """
    shutil.rmtree(archive.parent)


def _build(folder: Path, wanted: dict[str, str], architecture: Architecture, tell: Tell) -> None:
    # Under another name until it is whole: what a killed run left behind is thrown away by the next.
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    wheels, made = part / "wheels", part / "made"
    try:
        for new in (wheels, made):
            new.mkdir(parents=True)
        tell(f"fetching {len(wanted)} packages", 0, None)
        fetched = _wheels.download(wanted, architecture, wheels)
        archive = made / "archive"
        digest = make_tar(fetched, archive, lambda done, total: tell("packing the environment", done, total))
        archive.rename(made / f"{digest}.tar.gz")
        made.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def _only_one(path: Path, tell: Tell) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell("waiting for another run that makes the environment", 0, None)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
