"""Files that others read while they are written: a reader sees the old one or the whole new one."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def replacing(path: Path, *, private: bool = False) -> Iterator[IO[bytes]]:
    """Write beside a file, and put that into its place at the end.

    Parameters
    ----------
    path
        The file; its folder is made.
    private
        Whether none but its owner may read it; otherwise the umask says who.

    Yields
    ------
    binary file
        What is written to.

    Raises
    ------
    OSError
        If it can't be written: then the old file is as it was, as after any other error, and nothing is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_whole(path: Path, text: str, *, private: bool = False) -> None:
    """Write a text, as `replacing` does.

    Parameters
    ----------
    path, private
        As there.
    text
        What is to be in it.

    Raises
    ------
    OSError
        As there.
    """
    with replacing(path, private=private) as file:
        file.write(text.encode())
