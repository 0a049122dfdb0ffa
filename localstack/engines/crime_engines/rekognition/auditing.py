"""The audit log of the deployed engine: a line of JSON a call, on the disk before it is answered."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crime_engines.rekognition.clients import Unusable


class Audit:
    """A file that is only ever added to.

    It is opened anew for each line, so that it may be moved away (logrotate) while the engine runs.

    Parameters
    ----------
    path
        The file; made if it is not there, for the owner only. Its folder is there.

    Raises
    ------
    Unusable
        If it can't be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            with self._lock:
                os.close(self._open())
        except OSError as error:
            raise Unusable(f"The audit log {path} can't be written: {error.strerror}") from error

    def write(self, facts: Mapping[str, Any]) -> None:
        """Add a line, and return when the disk has it.

        Parameters
        ----------
        facts
            What is told, beside the time. Nothing of a face, no name of a picture or a person.

        Raises
        ------
        OSError
            If it was not written whole: then the call must not be answered.
        """
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": now, **facts}).encode() + b"\n"
        with self._lock:
            file = self._open()
            try:
                if (size := os.fstat(file).st_size) and os.pread(file, 1, size - 1) != b"\n":
                    line = b"\n" + line  # after a line that a crash or a full disk cut
                if os.write(file, line) != len(line):
                    raise OSError("the disk took a part of the line")
                os.fsync(file)
            finally:
                os.close(file)

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            return os.open(self._path, flags)
        except FileNotFoundError:
            made = os.open(self._path, flags | os.O_CREAT, 0o600)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return made
