"""What Rekognition tells of a face, and which faces are good enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from crime_engines.faces.seen import Seen
from crime_engines.rekognition import words

#: The names of the five landmarks in their order; left and right are the picture's, as Rekognition has them.
_LANDMARKS = ("rightEyeRight", "rightEyeLeft", "leftEyeLeft", "leftEyeRight", "nose")


@dataclass(frozen=True)
class Bar:
    """What a face must reach.

    Parameters
    ----------
    confidence, brightness, sharpness
        0 to 100.
    side
        Pixels of the box's shorter side.
    """

    confidence: float
    brightness: float
    sharpness: float
    side: float


#: Rekognition does not say what its own bars are; these are this engine's.
BARS = {
    "NONE": Bar(0, 0, 0, 0),
    "LOW": Bar(55, 5, 5, 35),
    "AUTO": Bar(75, 10, 8, 40),
    "MEDIUM": Bar(90, 15, 12, 60),
    "HIGH": Bar(97, 20, 20, 100),
}


def reasons(seen: Seen, bar: str) -> list[str]:
    """Return why a face is not good enough, nothing if it is.

    Parameters
    ----------
    seen
        The face.
    bar
        A name of `BARS`.
    """
    least = BARS[bar]
    found = {
        "LOW_CONFIDENCE": seen.confidence < least.confidence,
        "LOW_BRIGHTNESS": seen.brightness < least.brightness,
        "LOW_SHARPNESS": seen.sharpness < least.sharpness,
        "SMALL_BOUNDING_BOX": seen.side < least.side,
    }
    return [name for name, is_so in found.items() if is_so]


def box(seen: Seen) -> dict[str, float]:
    """Return a face's ``BoundingBox``.

    Parameters
    ----------
    seen
        The face.
    """
    left, top, width, height = seen.box
    return {"Width": width, "Height": height, "Left": left, "Top": top}


def detail(seen: Seen) -> dict[str, Any]:
    """Return a face's ``FaceDetail``, as far as this engine knows: five points give no yaw or pitch.

    Parameters
    ----------
    seen
        The face.
    """
    points = dict(zip(_LANDMARKS, seen.landmarks, strict=True))
    for side in ("left", "right"):
        one, other = points[f"{side}EyeLeft"], points[f"{side}EyeRight"]
        points["eyeLeft" if side == "left" else "eyeRight"] = (
            (one[0] + other[0]) / 2,
            (one[1] + other[1]) / 2,
        )
    order = ("eyeLeft", "eyeRight", "nose", "leftEyeLeft", "leftEyeRight", "rightEyeLeft", "rightEyeRight")
    return {
        "BoundingBox": box(seen),
        "Landmarks": [{"Type": name, "X": points[name][0], "Y": points[name][1]} for name in order],
        "Pose": {"Roll": seen.roll},
        "Quality": {"Brightness": seen.brightness, "Sharpness": seen.sharpness},
        "Confidence": seen.confidence,
    }


def check_attributes(asked: Sequence[str]) -> None:
    """Refuse attributes that this engine has no model for.

    Parameters
    ----------
    asked
        ``Attributes`` of a request.

    Raises
    ------
    Refusal
        If there is another than ``DEFAULT``.
    """
    if others := sorted(set(asked) - {"DEFAULT"}):
        raise words.invalid_parameters(
            f"This engine has the attributes DEFAULT only, not {', '.join(others)}: it guesses no age, "
            "gender, emotion or look."
        )
