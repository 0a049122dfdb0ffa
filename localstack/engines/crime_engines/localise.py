"""What YARN puts into a container's working folder before a program starts there."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from crime_engines.archives import unpack, unpack_once
from crime_engines.spark_submit import Submission
from crime_engines.storage import Missing, Storage, is_uri
from crime_engines.work import Work


@dataclass(frozen=True)
class Resource:
    """A file that was fetched.

    Parameters
    ----------
    path
        Where it is.
    name
        What it is called in the container.
    kept
        Whether it stays on the node for the next program: containers then get a link to what was unpacked.
    """

    path: Path
    name: str
    kept: bool = False


@dataclass(frozen=True)
class Fetched:
    """All that a submission brings along.

    Parameters
    ----------
    archives, files, py_files, jars
        By option.
    entry
        The program.
    """

    archives: list[Resource]
    files: list[Resource]
    py_files: list[Resource]
    jars: list[Resource]
    entry: Resource


def fetch_all(submission: Submission, storage: Storage, folder: Path, work: Work) -> Fetched:
    """Fetch what a submission names.

    Parameters
    ----------
    submission
        The submission; it has an entry.
    storage
        S3.
    folder
        Where to; made.
    work
        Looked at between files.

    Returns
    -------
    Fetched

    Raises
    ------
    Missing
        If something can't be had.
    Stopped
        If the work was told to stop.
    """
    folder.mkdir(parents=True, exist_ok=True)
    count = 0

    def fetch(uri: str, *, keep: bool = False) -> Resource:
        nonlocal count
        work.check()
        count += 1
        where = folder / str(count)
        where.mkdir()
        return _fetch(uri, storage, where, keep=keep)

    def fetch_each(uris: Iterable[str], *, keep: bool = False) -> list[Resource]:
        return [fetch(uri, keep=keep) for uri in uris]

    return Fetched(
        fetch_each(submission.archives, keep=True),
        fetch_each(submission.files),
        fetch_each(submission.py_files),
        fetch_each(submission.jars),
        fetch(submission.entry or ""),
    )


def _fetch(uri: str, storage: Storage, folder: Path, *, keep: bool) -> Resource:
    place, _, alias = uri.partition("#")
    own = Path(unquote(urlsplit(place).path) if "://" in place else place).name
    name = alias or own
    if not own or "/" in name or name in (".", ".."):
        raise Missing(f"Not a name of a file in a container: '{uri}'")
    if is_uri(place) and keep:
        return Resource(storage.keep(place), name, kept=True)
    if is_uri(place):
        return Resource(storage.fetch(place, folder / own), name)
    scheme = urlsplit(place).scheme
    if scheme not in ("", "file", "local"):
        raise Missing(f"No FileSystem for scheme \"{scheme}\" '{uri}'")
    path = Path(urlsplit(place).path if scheme else place)
    if not path.is_file():
        raise Missing(f"File {place} does not exist")
    return Resource(path, name)


def lay_out(fetched: Fetched, submission: Submission, folder: Path) -> Submission:
    """Fill a container's working folder.

    Parameters
    ----------
    fetched
        The files.
    submission
        What they belong to.
    folder
        The working folder; made.

    Returns
    -------
    Submission
        The same, with local files: archives and files are in place, so Spark hears no more of them.

    Raises
    ------
    BadArchive
        If an archive can't be unpacked.
    """
    folder.mkdir(parents=True)
    for archive in fetched.archives:
        if archive.kept:
            (folder / archive.name).symlink_to(unpack_once(archive.path))
        else:
            unpack(archive.path, folder / archive.name)
    for item in (*fetched.files, *fetched.py_files, *fetched.jars, fetched.entry):
        if not (folder / item.name).exists():  # an object may be named twice
            shutil.copy(item.path, folder / item.name)
    return replace(
        submission,
        archives=[],
        files=[],
        py_files=[str(folder / item.name) for item in fetched.py_files],
        jars=[str(folder / item.name) for item in fetched.jars],
        entry=str(folder / fetched.entry.name),
    )
