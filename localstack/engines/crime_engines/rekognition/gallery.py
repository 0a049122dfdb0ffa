"""The embeddings of a collection in memory, searched exactly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from crime_engines.faces.seen import LENGTH, farthest, similarity

#: By how much a squared distance out of the matrix product (32 bits) may be wrong at most; what is that near
#: is computed anew.
_SLACK = 1e-4


class Gallery:
    """Embeddings by face. Not for several threads.

    Parameters
    ----------
    faces
        Face ids and embeddings.
    """

    def __init__(self, faces: Iterable[tuple[str, Sequence[float]]] = ()) -> None:
        self._names: list[str] = []
        self._places: dict[str, int] = {}
        self._rows = np.empty((64, LENGTH), dtype=np.float32)
        self._norms = np.empty(64, dtype=np.float32)
        for name, embedding in faces:
            self.add(name, embedding)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def add(self, name: str, embedding: Any) -> None:
        """Take in a face.

        Parameters
        ----------
        name
            Its id.
        embedding
            Its numbers.
        """
        count = len(self._names)
        if count == len(self._rows):
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)])
            self._norms = np.concatenate([self._norms, np.empty_like(self._norms)])
        row = np.asarray(embedding, dtype=np.float32)
        self._rows[count] = row
        self._norms[count] = row @ row
        self._names.append(name)
        self._places[name] = count

    def remove(self, name: str) -> None:
        """Forget a face.

        Parameters
        ----------
        name
            Its id.
        """
        place, last = self._places.pop(name), len(self._names) - 1
        moved = self._names.pop()
        if place != last:
            self._names[place] = moved
            self._places[moved] = place
            self._rows[place] = self._rows[last]
            self._norms[place] = self._norms[last]
        self._rows[last] = 0  # an embedding that was deleted is not left in memory

    def embedding(self, name: str) -> Any:
        """Return a copy of a face's numbers.

        Parameters
        ----------
        name
            Its id.
        """
        return self._rows[self._places[name]].copy()

    def search(
        self, embedding: Any, threshold: float, most: int, without: str | None = None
    ) -> list[tuple[str, float]]:
        """Return the faces that are alike enough, with their similarity, the most alike first.

        Parameters
        ----------
        embedding
            What is looked for.
        threshold
            Least similarity, 0 to 100.
        most
            How many at most, at least 1.
        without
            A face to leave out.
        """
        count = len(self._names)
        asked = np.asarray(embedding, dtype=np.float32)
        squares = self._norms[:count] - 2.0 * (self._rows[:count] @ asked) + asked @ asked
        left_out = -1 if without is None else self._places.get(without, -1)
        if left_out >= 0:
            squares[left_out] = np.inf
        near = np.flatnonzero(squares <= farthest(threshold) ** 2 + _SLACK)
        if len(near) > most:
            inside = squares[near]
            near = near[inside <= np.partition(inside, most - 1)[most - 1] + _SLACK]
        near = near[near != left_out]
        exact = np.linalg.norm(self._rows[near].astype(np.float64) - asked.astype(np.float64), axis=1)
        order = sorted(zip(exact.tolist(), (self._names[place] for place in near), strict=True))
        found = ((name, similarity(distance)) for distance, name in order[:most])
        return [(name, alike) for name, alike in found if alike >= threshold]
