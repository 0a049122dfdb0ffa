"""One photograph against a watch list: every face found, cut out and searched for. No I/O but the engine's.

``SearchFacesByImage`` looks at the largest face of a picture and at no other
(https://docs.aws.amazon.com/rekognition/latest/APIReference/API_SearchFacesByImage.html). So ``DetectFaces``
finds them all, and each is cut out and searched for by itself. A crop may still hold a neighbour: other faces
are painted over where they could be taken for this one, and what the engine says it has looked at is held
against the face that was meant. If it was another, nothing of its answer counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from crime_jobs.faces._answers import UnfitPicture
from crime_jobs.faces.pictures import Picture, crop, fit, overlap
from crime_jobs.model.faces import Box, Candidate, Seen

if TYPE_CHECKING:
    from crime_jobs.faces.engine import Searched

#: Faces that ``DetectFaces`` tells of at most: the largest
#: (https://docs.aws.amazon.com/rekognition/latest/dg/limits.html).
MOST_FACES = 100
#: Enrolled faces that a search returns at most: many photographs of one person must not hide another.
MOST_CANDIDATES = 100
#: A crop keeps so much around a face, as a share of its box; the second is tried when the first did not do.
_MARGIN, _WIDER, _TIGHTER = 0.5, 1.0, 0.2
#: A neighbour of so much of the face's area, or more, is painted over at once.
_RIVAL = 0.5
#: Boxes that have so much in common are of the same face.
_SAME = 0.3


class Skip(StrEnum):
    """Why a face was not searched for; it is counted, never silent."""

    UNSURE = "not sure enough that it is a face"
    SMALL = "too small"
    OUTSIDE = "outside the picture"
    LOST = "not found again in its crop"
    UNFIT = "not looked at by the engine"
    MIXED = "not told apart from a neighbour"


class Looks(Protocol):
    """What is needed of `crime_jobs.faces.engine.Engine`."""

    def detect(self, image: bytes) -> list[Seen]:
        """Find the faces of a picture."""

    def search(self, collection: str, image: bytes, threshold: float, most: int = 5) -> Searched:
        """Find enrolled faces that are like the largest one of a picture."""


@dataclass(frozen=True)
class Bar:
    """What a face must reach to be searched for.

    Parameters
    ----------
    confidence
        That it is a face, in per cent.
    side
        Pixels of the shorter side of its box.
    """

    confidence: float = 90.0
    side: float = 40.0

    def below(self, picture: Picture, seen: Seen) -> Skip | None:
        """Return why a face does not reach it, nothing if it does.

        Parameters
        ----------
        picture
            The photograph.
        seen
            The face.
        """
        if seen.confidence < self.confidence:
            return Skip.UNSURE
        return Skip.SMALL if picture.side(seen.box) < self.side else None


@dataclass(frozen=True)
class Match:
    """A face that is like one of the watch list.

    Parameters
    ----------
    seen
        The face.
    candidate
        Whose it is like; of several photographs of a person, the most alike.
    """

    seen: Seen
    candidate: Candidate


@dataclass(frozen=True)
class Outcome:
    """What became of a photograph.

    Parameters
    ----------
    faces
        How many were found.
    searched
        How many of them were searched for.
    skipped
        The others, by reason.
    matches
        One for each face and person.
    dropped
        Candidates that were passed over since they are not, or no longer, on the list.
    """

    faces: int = 0
    searched: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    matches: tuple[Match, ...] = ()
    dropped: int = 0

    @property
    def is_crowded(self) -> bool:
        """Whether there may be more faces than the engine tells of."""
        return self.faces >= MOST_FACES


@dataclass(frozen=True)
class Asked:
    """What a photograph is held against.

    Parameters
    ----------
    collection
        The engine's collection.
    threshold
        Least similarity in per cent.
    bar
        What a face must reach.
    """

    collection: str
    threshold: float
    bar: Bar = Bar()


def match(
    picture: Picture, engine: Looks, asked: Asked, accepts: Callable[[Candidate], bool] = lambda _: True
) -> Outcome:
    """Find the people of a watch list that the faces of a photograph are like.

    Parameters
    ----------
    picture
        The photograph.
    engine
        What compares.
    asked
        What it is held against.
    accepts
        Tells whether a candidate is on the list still.

    Returns
    -------
    Outcome
        Without a face it has none, which is no error.

    Raises
    ------
    UnfitPicture
        If the engine does not look at the photograph.
    AwsRefused
        If it refuses otherwise.
    """
    faces = engine.detect(fit(picture))
    skipped: Counter[str] = Counter()
    matches: list[Match] = []
    dropped = 0
    for seen in faces:
        found = asked.bar.below(picture, seen) or _search(picture, seen, faces, engine, asked)
        if isinstance(found, Skip):
            skipped[found] += 1
            continue
        best = _best(found)
        kept = [candidate for candidate in best if accepts(candidate)]
        dropped += len(best) - len(kept)
        matches += [Match(seen, candidate) for candidate in kept]
    searched = len(faces) - skipped.total()
    return Outcome(len(faces), searched, dict(skipped), tuple(matches), dropped)


def _best(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return of each person the most alike, the most alike person first."""
    best: dict[str, Candidate] = {}
    for one in sorted(candidates, key=lambda candidate: (-candidate.similarity, candidate.face_id)):
        best.setdefault(one.person_id, one)
    return list(best.values())


def _search(
    picture: Picture, seen: Seen, faces: Sequence[Seen], engine: Looks, asked: Asked
) -> tuple[Candidate, ...] | Skip:
    """Search for a face; with another crop, if the engine looked at another face or at none."""
    others = [other.box for other in faces if other is not seen]
    rivals = [box for box in others if _area(box) >= _RIVAL * _area(seen.box)]
    margin, painted = _MARGIN, rivals
    skip = Skip.OUTSIDE
    for _ in range(2):
        cut = crop(picture, seen.box, margin, painted)
        if cut is None:
            return Skip.OUTSIDE
        try:
            found = engine.search(asked.collection, cut.content, asked.threshold, MOST_CANDIDATES)
        except UnfitPicture:
            return Skip.UNFIT  # of this crop alone: the photograph's other faces are searched for
        if found.box is not None and overlap(found.box, cut.face) >= _SAME:
            return found.candidates
        skip = Skip.LOST if found.box is None else Skip.MIXED
        margin, painted = (_WIDER if found.box is None else _TIGHTER), others
    return skip


def _area(box: Box) -> float:
    return box.width * box.height
