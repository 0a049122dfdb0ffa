"""One photograph: each face searched for as itself, the right person each, and nothing passed over in silence.

The engine here looks at pixels: a face is a square of one colour. What it is asked, it answers by what is in
the picture that it is given, the largest face first, as Rekognition's search does.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from PIL import Image

from crime_jobs.faces.engine import Searched, UnfitPicture
from crime_jobs.faces.matching import MOST_CANDIDATES, Asked, Bar, Skip, match
from crime_jobs.faces.pictures import Picture
from crime_jobs.model.faces import Box, Candidate, Seen

RED, GREEN, BLUE, YELLOW = (220, 30, 30), (30, 200, 30), (30, 30, 220), (220, 220, 30)
COLOURS = (RED, GREEN, BLUE, YELLOW)
BACKGROUND = (90, 90, 95)

Colour = tuple[int, int, int]


def like(colour: Colour, person: str = "", similarity: float = 99.5, face: str = "") -> Candidate:
    person = person or "-".join(map(str, colour))
    return Candidate(face_id=face or f"face of {person}", person_id=person, similarity=similarity)


class Eyes:
    """Finds squares of colour; knows the people of a collection by theirs."""

    def __init__(self, people: Mapping[Colour, Sequence[Candidate]], confidence: float = 99.9) -> None:
        self.calls: Counter[str] = Counter()
        self.people, self.confidence = people, confidence
        self.asked: list[tuple[str, float, int]] = []

    def look(self, content: bytes) -> list[tuple[Box, Colour]]:
        pixels = np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)
        height, width, _ = pixels.shape
        found = []
        for colour in COLOURS:
            rows, columns = np.nonzero((np.abs(pixels - np.array(colour)) < 25).all(axis=-1))
            if rows.size < 64:
                continue
            left, top = columns.min(), rows.min()
            box = Box(
                left=left / width,
                top=top / height,
                width=(columns.max() + 1 - left) / width,
                height=(rows.max() + 1 - top) / height,
            )
            found.append((rows.size, box, colour))
        return [(box, colour) for _, box, colour in sorted(found, key=lambda one: -one[0])]

    def detect(self, image: bytes) -> list[Seen]:
        self.calls["detect_faces"] += 1
        return [
            Seen(box=box, confidence=self.confidence, brightness=50, sharpness=50)
            for box, _ in self.look(image)
        ]

    def search(self, collection: str, image: bytes, threshold: float, most: int = 5) -> Searched:
        self.calls["search_faces_by_image"] += 1
        self.asked.append((collection, threshold, most))
        seen = self.look(image)
        if not seen:
            return Searched(None)
        box, colour = seen[0]
        known = sorted(self.people.get(colour, ()), key=lambda one: -one.similarity)
        return Searched(box, tuple(one for one in known if one.similarity >= threshold)[:most])


def photograph(*faces: tuple[Colour, int, int, int], size: tuple[int, int] = (800, 600)) -> Picture:
    """Squares: colour, left, top and side."""
    image = Image.new("RGB", size, BACKGROUND)
    for colour, left, top, side in faces:
        image.paste(colour, (left, top, left + side, top + side))
    return Picture(image)


ALL = {colour: [like(colour)] for colour in COLOURS}
ASKED = Asked("the-list", 99.0)


def people(found: Sequence[object]) -> set[str]:
    return {one.candidate.person_id for one in found}  # type: ignore[attr-defined]


def test_a_crop_that_the_engine_does_not_look_at_leaves_the_other_faces() -> None:
    class Picky(Eyes):
        def search(self, collection: str, image: bytes, threshold: float, most: int = 5) -> Searched:
            if not self.asked:
                self.asked.append((collection, threshold, most))
                raise UnfitPicture("it is too small", "InvalidParameterException")
            return super().search(collection, image, threshold, most)

    picture = photograph((RED, 50, 50, 200), (GREEN, 500, 100, 80))
    found = match(picture, Picky(ALL), ASKED)
    assert dict(found.skipped) == {Skip.UNFIT: 1}
    assert (found.faces, found.searched) == (2, 1)
    assert people(found.matches) == {like(GREEN).person_id}


def test_every_face_is_searched_for_not_only_the_largest() -> None:
    picture = photograph((RED, 50, 50, 200), (GREEN, 500, 100, 80), (BLUE, 300, 400, 60))
    eyes = Eyes(ALL)
    found = match(picture, eyes, ASKED)
    assert (found.faces, found.searched, dict(found.skipped)) == (3, 3, {})
    assert people(found.matches) == {like(colour).person_id for colour in (RED, GREEN, BLUE)}
    assert eyes.calls == {"detect_faces": 1, "search_faces_by_image": 3}
    assert set(eyes.asked) == {("the-list", 99.0, MOST_CANDIDATES)}


def test_a_larger_neighbour_does_not_answer_for_a_face() -> None:
    """A small face before one four times as large: of any crop of it the other fills more."""
    picture = photograph((RED, 100, 100, 240), (GREEN, 300, 150, 60))
    found = match(picture, eyes := Eyes(ALL), ASKED)
    by_side = {round(picture.side(one.seen.box)): one.candidate.person_id for one in found.matches}
    assert {side // 40: person for side, person in by_side.items()} == {
        6: like(RED).person_id,
        1: like(GREEN).person_id,
    }
    assert eyes.calls["search_faces_by_image"] == 2


def test_of_somebody_unknown_beside_somebody_known_nothing_is_said() -> None:
    """The known one is the larger: without care the unknown face would be called his."""
    picture = photograph((RED, 100, 100, 240), (GREEN, 300, 150, 60))
    found = match(picture, Eyes({RED: [like(RED)]}), ASKED)
    assert [round(picture.side(one.seen.box) / 10) for one in found.matches] == [24]


def test_nobody_there_is_no_lead_and_no_error() -> None:
    found = match(photograph(), eyes := Eyes(ALL), ASKED)
    assert (found.faces, found.matches, eyes.calls) == (0, (), {"detect_faces": 1})


def test_nobody_known_is_no_lead() -> None:
    found = match(photograph((RED, 50, 50, 200)), Eyes({}), ASKED)
    assert (found.faces, found.searched, found.matches) == (1, 1, ())


def test_several_photographs_of_a_person_are_one_lead_by_the_best() -> None:
    known = [like(RED, "one", 99.2, "b"), like(RED, "one", 99.9, "a"), like(RED, "one", 99.1, "c")]
    found = match(photograph((RED, 50, 50, 200)), Eyes({RED: known}), ASKED)
    assert [one.candidate.face_id for one in found.matches] == ["a"]


def test_two_people_that_a_face_is_like_are_two_leads() -> None:
    known = [like(RED, "one", 99.2), like(RED, "two", 99.9)]
    found = match(photograph((RED, 50, 50, 200)), Eyes({RED: known}), ASKED)
    assert [one.candidate.person_id for one in found.matches] == ["two", "one"]


def test_many_photographs_of_one_person_do_not_hide_another() -> None:
    """As many as a search returned before it was asked for more."""
    many = [like(RED, "one", 99.9, f"face {number}") for number in range(60)]
    found = match(photograph((RED, 50, 50, 200)), Eyes({RED: [*many, like(RED, "two", 99.2)]}), ASKED)
    assert people(found.matches) == {"one", "two"}


def test_who_is_not_on_the_list_any_more_is_no_lead() -> None:
    known = [like(RED, "gone", 99.9), like(RED, "there", 99.2)]
    found = match(
        photograph((RED, 50, 50, 200)), Eyes({RED: known}), ASKED, lambda one: one.person_id != "gone"
    )
    assert people(found.matches) == {"there"}
    assert found.dropped == 1


@pytest.mark.parametrize(
    ("bar", "confidence", "reason"),
    [(Bar(confidence=90), 89.9, Skip.UNSURE), (Bar(side=210), 99.9, Skip.SMALL)],
)
def test_a_face_below_the_bar_is_counted_and_costs_no_search(
    bar: Bar, confidence: float, reason: Skip
) -> None:
    eyes = Eyes(ALL, confidence)
    found = match(photograph((RED, 50, 50, 200)), eyes, Asked("the-list", 99.0, bar))
    assert (found.faces, found.searched, found.skipped) == (1, 0, {reason: 1})
    assert eyes.calls == {"detect_faces": 1}


def test_a_size_is_that_of_the_file() -> None:
    """A picture that was made smaller before it was looked at: the bar is about the photograph."""
    small = photograph((RED, 50, 50, 200))
    found = match(Picture(small.image, scale=2), Eyes(ALL), Asked("the-list", 99.0, Bar(side=210)))
    assert found.searched == 1


class Elsewhere(Eyes):
    """Looks at what is in the corner, whatever is in the middle."""

    def search(self, collection: str, image: bytes, threshold: float, most: int = 5) -> Searched:
        found = super().search(collection, image, threshold, most)
        return Searched(Box(left=0, top=0, width=0.1, height=0.1), found.candidates)


class Blind(Eyes):
    """Finds no face in any crop."""

    def search(self, collection: str, image: bytes, threshold: float, most: int = 5) -> Searched:
        super().search(collection, image, threshold, most)
        return Searched(None)


@pytest.mark.parametrize(("eyes", "reason"), [(Elsewhere(ALL), Skip.MIXED), (Blind(ALL), Skip.LOST)])
def test_an_answer_about_another_face_counts_for_nothing(eyes: Eyes, reason: Skip) -> None:
    found = match(photograph((RED, 50, 50, 200)), eyes, ASKED)
    assert found.matches == ()
    assert found.skipped == {reason: 1}
    assert eyes.calls["search_faces_by_image"] == 2  # another crop was tried, and only one


class Off(Eyes):
    """Reports a box that is not in the picture."""

    def detect(self, image: bytes) -> list[Seen]:
        super().detect(image)
        return [
            Seen(box=Box(left=1.2, top=0, width=0.3, height=0.3), confidence=99, brightness=1, sharpness=1)
        ]


def test_a_box_beyond_the_picture_is_counted() -> None:
    found = match(photograph((RED, 50, 50, 200)), eyes := Off(ALL), ASKED)
    assert found.skipped == {Skip.OUTSIDE: 1}
    assert eyes.calls == {"detect_faces": 1}


class Crowd(Eyes):
    """As many faces as the service tells of at most."""

    def detect(self, image: bytes) -> list[Seen]:
        return super().detect(image) * 100


def test_a_hundred_faces_are_all_searched_for_and_told_to_be_perhaps_not_all() -> None:
    found = match(photograph((RED, 50, 50, 200)), Crowd(ALL), ASKED)
    assert (found.faces, found.searched, found.is_crowded) == (100, 100, True)
