"""The loader: what Firehose has put into S3 goes into Redshift, each object once, each FIR once.

Redshift itself keeps the ledger. The rows of a load and the line in ``fir_loads`` that says so are one
transaction: whoever is killed, and whenever, has loaded both or neither, and no second store can disagree.
"""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crime_jobs import aws, output
from crime_jobs.errors import AwsRefused, JobFailed
from crime_jobs.model.streams import StreamSettings
from crime_jobs.stream import _copy
from crime_jobs.stream._objects import Found, Objects, open_objects
from crime_jobs.stream._redshift import Done, Redshift, open_redshift, without_values

if TYPE_CHECKING:
    from crime_jobs.settings import Settings

#: Objects of one load. A transaction holds the lock while it copies them.
OBJECTS = 200
#: Seconds between two looks at S3 of a loader that follows.
EVERY = 30.0
THREADS = 8


@dataclass(frozen=True)
class Loaded:
    """What a load has done.

    Parameters
    ----------
    objects
        How many were loaded.
    lines
        How many of their lines COPY took.
    firs
        How many FIRs were new.
    refused
        How many objects could not be loaded at all.
    """

    objects: int = 0
    lines: int = 0
    firs: int = 0
    refused: int = 0

    def __add__(self, other: Loaded) -> Loaded:
        """Add up two loads."""
        return Loaded(
            self.objects + other.objects,
            self.lines + other.lines,
            self.firs + other.firs,
            self.refused + other.refused,
        )


class History:
    """The loader.

    Parameters
    ----------
    redshift
        Where to.
    objects
        Where from.
    """

    def __init__(self, redshift: Redshift, objects: Objects) -> None:
        self._redshift, self._objects = redshift, objects
        self._known: set[str] = set()

    def new(self) -> list[Found]:
        """Return the objects that were not loaded yet, in the order of their names."""
        found: list[Found] = []
        for page in self._objects.pages():
            unknown = [one for one in page if one.uri not in self._known]
            if unknown:
                # A page is in order: one question answers for all of it.
                there = self._redshift.query(
                    "SELECT object FROM fir_loads WHERE object >= :first AND object <= :last",
                    {"first": unknown[0].uri, "last": unknown[-1].uri},
                )
                self._known.update(row["object"] for row in there)
            found += [one for one in unknown if one.uri not in self._known]
        return found

    def load(self, told: Callable[[Loaded], None] = lambda _: None) -> Loaded:
        """Load what is there and was not loaded yet.

        Parameters
        ----------
        told
            Hears of each load.

        Returns
        -------
        Loaded

        Raises
        ------
        JobFailed
            If Redshift can't load for a reason that is not in the objects.
        """
        self.note_errors()  # of a loader that was killed before it came to that
        whole = Loaded()
        left = self.new()
        while left:
            for at in range(0, len(left), OBJECTS):
                done = self._load(left[at : at + OBJECTS])
                told(done)
                whole += done
            left = self.new()  # what another loader took meanwhile, and gave back
        self.note_errors()
        return whole

    def follow(self, told: Callable[[Loaded], None], every: float = EVERY) -> Iterator[None]:
        """Load what comes, for as long as somebody asks for the next.

        A look that fails is said and tried again: a report's database that is away must stop nothing else.

        Parameters
        ----------
        told
            Hears of each load.
        every
            Seconds between two looks.
        """

        def say(done: Loaded) -> None:
            with contextlib.suppress(OSError):  # a log on a full disk stops nothing
                told(done)

        while True:
            try:
                self.load(say)
            except (AwsRefused, JobFailed) as error:
                with contextlib.suppress(OSError):
                    output.note(f"Tried again in {every:.0f} s: {error.message}")
            yield
            time.sleep(every)

    def retry(self) -> None:
        """Forget which objects were refused, so that they are tried again."""
        self._must(self._redshift.batch(_copy.FORGET), "Forgetting what was refused")
        self._known.clear()

    def _load(self, found: Sequence[Found]) -> Loaded:
        load_id = uuid.uuid4().hex
        load = _copy.Load(*self._prepared(load_id, found))
        done = self._redshift.batch(load.sqls, {"load": load_id}, name="crime-jobs-fir-load")
        if done.ok:
            self._known.update(one.uri for one in found)
            return Loaded(
                len(found),
                load.count(done.rows, "COPY fir_staging"),
                load.count(done.rows, "INSERT INTO firs"),
            )
        meaning = load.meaning(done.failed)
        if meaning == _copy.TAKEN:
            return Loaded()  # another loader has some of them: what is left is asked for anew
        if meaning not in (_copy.COPIED, _copy.VERSION):
            raise _failed("Loading FIRs", done)
        if len(found) > 1:  # one of them is bad: halves, until it is alone
            middle = len(found) // 2
            return self._load(found[:middle]) + self._load(found[middle:])
        reason = self._reason(found[0], done, meaning)
        return self._refuse(found[0], reason, load_id)

    def _reason(self, found: Found, done: Done, meaning: str) -> str:
        """Say why an object can't be loaded; if it is not the object's fault, nothing can go on."""
        if meaning == _copy.VERSION:
            return "has FIRs of a version that this loader does not know"
        if wrong := self._objects.wrong_with(found):
            return wrong
        if "load_error" in done.error:
            return f"has {_copy.MAX_ERRORS} bad lines or more"
        raise _failed("Loading FIRs", done)

    def _refuse(self, found: Found, reason: str, load_id: str) -> Loaded:
        values = {
            "object": found.uri,
            "etag": found.etag,
            "bytes": str(found.bytes),
            "error": reason,
            "load": load_id,
        }
        done = self._redshift.batch(_copy.REFUSE, values)
        if done.failed == _copy.REFUSE_TAKEN:
            return Loaded()  # another loader was there before
        self._must(done, "Noting an object that can't be loaded")
        self._known.add(found.uri)
        return Loaded(refused=1)

    def _prepared(self, load_id: str, found: Sequence[Found]) -> tuple[str, list[tuple[str, bool]]]:
        """Write the lists that the load reads: of its objects, and a manifest for each kind."""
        claims = [{"object": one.uri, "etag": one.etag, "bytes": one.bytes} for one in found]
        uri = self._objects.write(f"{load_id}/objects.json", _lines(claims))
        with ThreadPoolExecutor(THREADS) as pool:
            kinds = list(pool.map(self._objects.is_compressed, found))
        manifests = []
        for compressed in (True, False):
            mine = [one for one, kind in zip(found, kinds, strict=True) if kind is compressed]
            if mine:
                entries = [{"url": one.uri, "mandatory": True} for one in mine]
                name = f"{load_id}/{'gzip' if compressed else 'plain'}.manifest"
                written = self._objects.write(name, json.dumps({"entries": entries}).encode())
                manifests.append((written, compressed))
        return uri, manifests

    def note_errors(self) -> None:
        """Note the bad lines of loads whose bad lines were not noted yet: where and why, never what."""
        loads = self._redshift.query(
            "SELECT load_id, MIN(loaded_at) AS begun FROM fir_loads WHERE noted = false GROUP BY load_id"
        )
        for load in loads:
            self._note(load["load_id"])

    def _note(self, load_id: str) -> None:
        of_load = self._redshift.query(
            "SELECT object FROM fir_loads WHERE load_id = :load ORDER BY object", {"load": load_id}
        )
        objects = {row["object"] for row in of_load}
        rows = self._redshift.query(
            "SELECT file_name, line_number, column_name, error_code, error_message "
            "FROM sys_load_error_detail WHERE file_name >= :first AND file_name <= :last",
            # The column is padded on some clusters.
            {"first": min(objects), "last": max(objects) + " " * 8},
        )
        errors = {}
        for row in rows:
            uri = str(row["file_name"]).strip()
            if uri in objects:  # once, also where a load was tried before
                errors[uri, row["line_number"]] = {
                    "object": uri,
                    "line_number": row["line_number"],
                    "column_name": str(row["column_name"] or "").strip(),
                    "code": row["error_code"],
                    "error": without_values(str(row["error_message"])) or "not readable",
                    "load_id": load_id,
                }
        noted = (
            self._objects.write(f"{load_id}/errors.json", _lines(list(errors.values()))) if errors else None
        )
        self._must(self._redshift.batch(_copy.note(noted), {"load": load_id}), "Noting bad lines")

    def status(self) -> dict[str, Any]:
        """Say how much is in S3 and how much in Redshift."""
        waiting = self.new()
        (loads,) = self._redshift.query(
            "SELECT SUM(CASE WHEN state = 'loaded' THEN 1 ELSE 0 END) AS loaded, "
            "SUM(CASE WHEN state = 'refused' THEN 1 ELSE 0 END) AS refused, MAX(loaded_at) AS last "
            "FROM fir_loads"
        )
        (firs,) = self._redshift.query("SELECT COUNT(*) AS n, MAX(reported_at) AS newest FROM firs")
        (errors,) = self._redshift.query("SELECT COUNT(*) AS n FROM fir_load_errors")
        return {
            "objects_waiting": len(waiting),
            "objects_loaded": loads["loaded"] or 0,
            "objects_refused": loads["refused"] or 0,
            "firs": firs["n"],
            "errors": errors["n"],
            "newest_fir": firs["newest"],
            "last_load": loads["last"],
        }

    def errors(self) -> list[dict[str, Any]]:
        """Return what could not be loaded: where, and why."""
        return self._redshift.query(
            "SELECT object, line_number, error, CAST(code AS VARCHAR) AS code, column_name, fir_key "
            "FROM fir_load_errors "
            "ORDER BY object, line_number, fir_key"
        )

    def setup(self) -> None:
        """Make the tables that are not there."""
        self._must(self._redshift.batch(_copy.SCHEMA), "Making the tables")

    @staticmethod
    def _must(done: Done, doing: str) -> None:
        if not done.ok:
            raise _failed(doing, done)


def _failed(doing: str, done: Done) -> JobFailed:
    return JobFailed(
        f"{doing}: Redshift could not: {without_values(done.error) or 'it did not say why'}.",
        hint="Nothing of it was done. Are the tables there (`crime-jobs stream history setup`), and may "
        "Redshift's role read the bucket? Then run it again.",
    )


def _lines(rows: Sequence[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def open_history(settings: Settings, stream: StreamSettings) -> History:
    """Open the loader.

    Parameters
    ----------
    settings
        Region and profile.
    stream
        Names.
    """
    aws.region(settings)
    return History(open_redshift(settings, stream), open_objects(settings, stream))
