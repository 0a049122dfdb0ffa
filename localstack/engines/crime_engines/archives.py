"""Archives unpacked into a container. Whoever writes to the bucket made them: nothing leaves the folder."""

from __future__ import annotations

import shutil
import tarfile
import threading
import zipfile
from pathlib import Path, PurePosixPath

#: What YARN unpacks (org.apache.hadoop.yarn.util.FSDownload): by the name's end.
TAR_NAMES = (".tar.gz", ".tgz", ".tar")
ZIP_NAMES = (".zip", ".jar")


_UNPACKING = threading.Lock()


class BadArchive(Exception):  # noqa: N818 - reads as what it is
    """An archive that can't or mustn't be unpacked."""


def unpack(archive: Path, folder: Path) -> None:
    """Unpack an archive; one of another kind is put into the folder as it is, as YARN does.

    Parameters
    ----------
    archive
        ``.tar.gz``, ``.tgz``, ``.tar``, ``.zip`` or ``.jar``.
    folder
        Where to; made.

    Raises
    ------
    BadArchive
        If it is broken, or a member would be written, or point, outside the folder, or is a device.
    """
    folder.mkdir(parents=True)
    name = archive.name.lower()
    try:
        if name.endswith(TAR_NAMES):
            with tarfile.open(archive) as tar:
                tar.extractall(folder, filter="data")  # refuses whatever points or goes outside
        elif name.endswith(ZIP_NAMES):
            _unzip(archive, folder)
        else:
            shutil.copy(archive, folder / archive.name)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise BadArchive(f"{archive.name} can't be unpacked: {error}") from error


def unpack_once(archive: Path) -> Path:
    """Unpack an archive beside itself, if that was not done yet.

    Parameters
    ----------
    archive
        In a folder of its own.

    Returns
    -------
    Path
        The folder with what was in it.

    Raises
    ------
    BadArchive
        As `unpack`.
    """
    content, part = archive.parent / "content", archive.parent / "content.part"
    with _UNPACKING:
        if not content.is_dir():
            shutil.rmtree(part, ignore_errors=True)
            unpack(archive, part)
            part.rename(content)
    return content


def _unzip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as bundle:
        for item in bundle.infolist():
            path = PurePosixPath(item.filename)
            if path.is_absolute() or ".." in path.parts:
                raise BadArchive(f"{archive.name} can't be unpacked: {item.filename!r} would be outside.")
        for item in bundle.infolist():
            made = Path(bundle.extract(item, folder))
            if (mode := item.external_attr >> 16 & 0o777) and made.is_file():
                made.chmod(mode | 0o600)  # programs stay programs
