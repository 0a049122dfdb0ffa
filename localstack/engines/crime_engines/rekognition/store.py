"""Collections in an SQLite file: apart by region, faces encrypted, what is deleted overwritten."""

from __future__ import annotations

import json
import sqlite3
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from crime_engines.faces.seen import LENGTH, MODEL
from crime_engines.protocol import ACCOUNT
from crime_engines.rekognition import words
from crime_engines.rekognition.gallery import Gallery
from crime_engines.rekognition.sealing import Sealing

_SCHEMA = """
CREATE TABLE IF NOT EXISTS collections (
    number INTEGER PRIMARY KEY AUTOINCREMENT, region TEXT NOT NULL, name TEXT NOT NULL, created REAL NOT NULL,
    model TEXT NOT NULL, tags TEXT NOT NULL, UNIQUE (region, name));
CREATE TABLE IF NOT EXISTS faces (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    collection INTEGER NOT NULL REFERENCES collections ON DELETE CASCADE,
    face TEXT NOT NULL, mark TEXT NOT NULL, sealed BLOB NOT NULL,
    UNIQUE (collection, face), UNIQUE (collection, mark));
"""

#: Bytes of an embedding, which a sealed face begins with.
_EMBEDDING = LENGTH * 4


@dataclass(frozen=True)
class Collection:
    """A collection.

    Parameters
    ----------
    number
        Its own for ever: one of the same name that is made later has another.
    region, name, created, model, tags
        As Rekognition tells of them.
    """

    number: int
    region: str
    name: str
    created: datetime
    model: str
    tags: Mapping[str, str]

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:rekognition:{self.region}:{ACCOUNT}:collection/{self.name}"


def name_in(arn: str, region: str) -> str:
    """Return the name of the collection that an ARN is of; nothing if it is no collection's of this region.

    Parameters
    ----------
    arn, region
        The ARN and the region.
    """
    front = f"arn:aws:rekognition:{region}:{ACCOUNT}:collection/"
    return arn.removeprefix(front) if arn.startswith(front) else ""


class Store:
    """All collections.

    Parameters
    ----------
    folder
        Where the file and its key are; made, for the owner only.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        self.sealing = Sealing(folder / "key")
        path = folder / "collections.sqlite"
        path.touch(mode=0o600)
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        for pragma in ("foreign_keys = ON", "secure_delete = ON", "synchronous = FULL"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(_SCHEMA)
        self._galleries: dict[int, Gallery] = {}
        self.lock = threading.RLock()

    def create(self, region: str, name: str, tags: Mapping[str, str]) -> Collection:
        """Make a collection.

        Parameters
        ----------
        region, name, tags
            As asked for.

        Raises
        ------
        Refusal
            If there is one.
        """
        row = (region, name, datetime.now(UTC).timestamp(), MODEL, json.dumps(dict(tags)))
        try:
            with self.lock:
                self._db.execute(
                    "INSERT INTO collections (region, name, created, model, tags) VALUES (?, ?, ?, ?, ?)", row
                )
        except sqlite3.IntegrityError as error:
            raise words.collection_exists(name) from error
        return self.collection(region, name)

    def collection(self, region: str, name: str) -> Collection:
        """Return a collection.

        Parameters
        ----------
        region, name
            Which.

        Raises
        ------
        Refusal
            If it is not there.
        """
        with self.lock:
            row = self._db.execute(
                "SELECT * FROM collections WHERE region = ? AND name = ?", (region, name)
            ).fetchone()
        if row is None:
            raise words.no_collection(name)
        return _collection(row)

    def collections(self, region: str, after: str, most: int, within: str = "") -> list[Collection]:
        """Return a region's collections by name.

        Parameters
        ----------
        region
            The region.
        after
            The name that they come after.
        most
            How many at most.
        within
            What their names begin with.
        """
        with self.lock:
            rows = self._db.execute(
                "SELECT * FROM collections WHERE region = ? AND name > ? AND substr(name, 1, ?) = ? "
                "ORDER BY name LIMIT ?",
                (region, after, len(within), within, most),
            ).fetchall()
        return [_collection(row) for row in rows]

    def delete(self, collection: Collection) -> None:
        """Remove a collection and its faces.

        Parameters
        ----------
        collection
            Which.
        """
        with self.lock:
            self._db.execute("DELETE FROM collections WHERE number = ?", (collection.number,))
            self._galleries.pop(collection.number, None)

    def count(self, collection: Collection) -> int:
        """Return how many faces a collection has.

        Parameters
        ----------
        collection
            Which.
        """
        with self.lock:
            found = self._db.execute(
                "SELECT count(*) FROM faces WHERE collection = ?", (collection.number,)
            ).fetchone()
        return int(found[0])

    def add(
        self, collection: Collection, faces: Sequence[tuple[str, dict[str, Any], Sequence[float]]]
    ) -> list[dict[str, Any]]:
        """Keep faces, all or none; one that is there already is not kept twice.

        Parameters
        ----------
        collection
            Where.
        faces
            Each: a mark that says which face it is, what is told of it without ``FaceId``, its embedding.

        Returns
        -------
        list of dict
            What is told of each, in their order; of those that were there, what was told then.

        Raises
        ------
        Refusal
            If the collection has gone in the meantime.
        """
        told, new = [], []
        with self.lock:
            self.collection(collection.region, collection.name)
            gallery = self.gallery(collection)
            self._db.execute("BEGIN IMMEDIATE")
            try:
                for mark, face, embedding in faces:
                    known = self._db.execute(
                        "SELECT face, sealed FROM faces WHERE collection = ? AND mark = ?",
                        (collection.number, mark),
                    ).fetchone()
                    if known:
                        told.append(self._told(collection.number, *known))
                        continue
                    name = str(uuid.uuid4())
                    numbers = np.asarray(embedding, dtype="<f4").tobytes()
                    content = numbers + json.dumps(face).encode()
                    sealed = self.sealing.seal(content, f"{collection.number}/{name}")
                    self._db.execute(
                        "INSERT INTO faces (collection, face, mark, sealed) VALUES (?, ?, ?, ?)",
                        (collection.number, name, mark, sealed),
                    )
                    new.append((name, embedding))
                    told.append({"FaceId": name, **face})
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            for name, embedding in new:
                gallery.add(name, embedding)
        return told

    def page(self, collection: Collection, after: int, most: int) -> list[tuple[int, dict[str, Any]]]:
        """Return faces in the order in which they came, each with its place.

        Parameters
        ----------
        collection
            Of which.
        after
            The place that they come after.
        most
            How many at most.
        """
        with self.lock:
            rows = self._db.execute(
                "SELECT place, face, sealed FROM faces WHERE collection = ? AND place > ? "
                "ORDER BY place LIMIT ?",
                (collection.number, after, most),
            ).fetchall()
        return [(place, self._told(collection.number, face, sealed)) for place, face, sealed in rows]

    def face(self, collection: Collection, name: str) -> dict[str, Any] | None:
        """Return what is told of a face, ``None`` if it is not there.

        Parameters
        ----------
        collection, name
            Which.
        """
        with self.lock:
            row = self._db.execute(
                "SELECT face, sealed FROM faces WHERE collection = ? AND face = ?", (collection.number, name)
            ).fetchone()
        return self._told(collection.number, *row) if row else None

    def remove(self, collection: Collection, name: str) -> bool:
        """Remove a face and say whether it was there.

        Parameters
        ----------
        collection, name
            Which.
        """
        with self.lock:
            gallery = self.gallery(collection)
            done = self._db.execute(
                "DELETE FROM faces WHERE collection = ? AND face = ?", (collection.number, name)
            )
            if done.rowcount and name in gallery:
                gallery.remove(name)
            return bool(done.rowcount)

    def gallery(self, collection: Collection) -> Gallery:
        """Return a collection's embeddings, to be used while the lock is held.

        Parameters
        ----------
        collection
            Which.
        """
        with self.lock:
            if collection.number not in self._galleries:
                self._galleries[collection.number] = Gallery(self._embeddings(collection.number))
            return self._galleries[collection.number]

    def close(self) -> None:
        """Close the file."""
        with self.lock:
            self._db.close()

    def _embeddings(self, number: int) -> Iterator[tuple[str, Any]]:
        rows = self._db.execute(
            "SELECT face, sealed FROM faces WHERE collection = ? ORDER BY place", (number,)
        )
        for name, sealed in rows:
            content = self.sealing.open(sealed, f"{number}/{name}")
            yield name, np.frombuffer(content[:_EMBEDDING], dtype="<f4")

    def _told(self, number: int, name: str, sealed: bytes) -> dict[str, Any]:
        content = self.sealing.open(sealed, f"{number}/{name}")
        return {"FaceId": name, **json.loads(content[_EMBEDDING:])}


def _collection(row: Sequence[Any]) -> Collection:
    number, region, name, created, model, tags = row
    return Collection(number, region, name, datetime.fromtimestamp(created, UTC), model, json.loads(tags))
