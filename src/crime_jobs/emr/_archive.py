"""The archives that are shipped: the same bytes from the same content, wherever they are made."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from typing import IO

from crime_jobs.errors import BadInput

#: 1 January 1980, the earliest that a zip can say; every file in an archive has it.
_DATE = (1980, 1, 1, 0, 0, 0)
_SECONDS = 315532800
_MODE = 0o644

#: What lies about in a checkout and is no part of the code.
_LITTER = re.compile(r"__pycache__|.*\.(pyc|pyo|orig|rej|swp)|.*~|\..*|tests")

#: Folders of a wheel's ``.data`` whose content belongs beside the packages; scripts and headers don't
#: (https://packaging.python.org/en/latest/specifications/binary-distribution-format/).
_PACKAGES = ("purelib", "platlib")
_DATA = re.compile(r"[^/]+\.data/(?P<kind>[^/]+)/(?P<rest>.+)")

#: Packages whose tests are left out: nothing of theirs outside those folders imports from them.
_TESTS_LEFT_OUT = ("numpy", "pandas", "pyarrow")
#: What compiling against pyarrow takes, and running it doesn't.
_PYARROW_SOURCES = re.compile(r"pyarrow/(include|includes|src)/.*|pyarrow/.*\.(pyx|pxd|pxi|h|cc)")


def read_tree(folder: Traversable, prefix: str = "") -> dict[str, bytes]:
    """Read the files below a folder that belong to the code.

    Parameters
    ----------
    folder
        A package's folder, on disk (links are followed) or in a zip.
    prefix
        What the names begin with.

    Returns
    -------
    dict
        Name (with ``/``) to content, sorted.
    """
    found: dict[str, bytes] = {}
    for entry in folder.iterdir():
        if _LITTER.fullmatch(entry.name):
            continue
        name = f"{prefix}{entry.name}"
        if entry.is_dir():
            found |= read_tree(entry, f"{name}/")
        else:
            found[name] = entry.read_bytes()
    return dict(sorted(found.items()))


def make_zip(content: dict[str, bytes]) -> bytes:
    """Make a zip that Python can import from.

    Parameters
    ----------
    content
        Name to content.

    Returns
    -------
    bytes
        Not compressed: compressed bytes differ from one zlib to another, and with them the digest.
    """
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(content):
            info = zipfile.ZipInfo(name, _DATE)
            info.create_system = 3  # Unix, also where this runs on something else
            info.external_attr = (stat.S_IFREG | _MODE) << 16
            archive.writestr(info, content[name])
    return whole.getvalue()


class _Hashing(io.RawIOBase):
    """Passes bytes on and counts them into a SHA-256."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.digest.update(data)
        return self._file.write(data)


def make_tar(wheels: Sequence[Path], target: Path, tell: Callable[[int, int], None]) -> str:
    """Make a ``.tar.gz`` of what the wheels install, without unpacking any of it to disk.

    Parameters
    ----------
    wheels
        The wheels.
    target
        The file to write.
    tell
        Called with bytes packed so far, and in all.

    Returns
    -------
    str
        SHA-256 of the file.

    Raises
    ------
    BadInput
        If a wheel is damaged, holds a path that leads out of its folder or a link, or two wheels hold the
        same path with different content.
    """
    members: dict[str, tuple[Path, zipfile.ZipInfo]] = {}
    for wheel in sorted(wheels):
        for name, info in _members(wheel):
            before = members.setdefault(name, (wheel, info))
            if (before[1].CRC, before[1].file_size) != (info.CRC, info.file_size):
                raise BadInput(f"{before[0].name} and {wheel.name} both bring {name}, and not the same.")
    total, done = sum(info.file_size for _, info in members.values()), 0
    archives = {wheel: zipfile.ZipFile(wheel) for wheel in wheels}
    try:
        with target.open("wb") as file:
            hashing = _Hashing(file)
            with (
                gzip.GzipFile("", "wb", 6, hashing, mtime=0) as packed,
                tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
            ):
                for name, (wheel, info) in sorted(members.items()):
                    entry = tarfile.TarInfo(name)
                    entry.size, entry.mtime, entry.mode = info.file_size, _SECONDS, _MODE
                    tar.addfile(entry, io.BytesIO(_read(archives[wheel], info, wheel)))
                    done += info.file_size
                    tell(done, total)
    finally:
        for archive in archives.values():
            archive.close()
    return hashing.digest.hexdigest()


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, wheel: Path) -> bytes:
    try:
        return archive.read(info)
    except (zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError) as error:
        raise BadInput(f"The wheel {wheel.name} is damaged: {info.filename}: {error}.") from error


def _members(wheel: Path) -> Iterator[tuple[str, zipfile.ZipInfo]]:
    """Say where each file of a wheel goes, as an installer does."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, OSError) as error:
        raise BadInput(f"The wheel {wheel.name} can't be read: {error}.") from error
    for info in infos:
        refuse_hostile(info, wheel)
        name = info.filename
        if found := _DATA.fullmatch(name):
            if found["kind"] not in _PACKAGES:
                continue
            name = found["rest"]
        if not info.is_dir() and _is_needed(name):
            yield name, info


def refuse_hostile(info: zipfile.ZipInfo, wheel: Path) -> None:
    """Refuse an entry that would be written outside the folder that it is unpacked into.

    Parameters
    ----------
    info
        The entry.
    wheel
        Its wheel, for the message.

    Raises
    ------
    BadInput
        If its path is absolute, has ``..``, a backslash or a colon in front, or it is a link or a device.
    """
    # zipfile cuts a name at a NUL and shows the rest in orig_filename only.
    name, mode = info.orig_filename, info.external_attr >> 16
    parts = PurePosixPath(name).parts
    odd = (
        not parts or name.startswith("/") or ".." in parts or "\\" in name or ":" in parts[0] or "\0" in name
    )
    if odd or (stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR)):
        raise BadInput(
            f"The wheel {wheel.name} has an entry that leads out of its folder, or is a link: {name!r}.",
            hint="No tool that makes wheels does that: find out where it comes from. Nothing was packed.",
        )


def _is_needed(name: str) -> bool:
    parts = name.split("/")
    if "__pycache__" in parts or name.endswith(".pyc"):
        return False
    if parts[0] in _TESTS_LEFT_OUT and "tests" in parts[1:-1]:
        return False
    return not _PYARROW_SOURCES.fullmatch(name)
