"""What was seen of a face, and how alike two faces are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

#: The recogniser that made an embedding, by dlib's release (weights: face_recognition_models 0.3.0).
#: Embeddings of different ones can't be compared. Rekognition's own versions are 1.0 to 7.0.
MODEL = "20.0.1"

#: Which faces get an embedding.
Wanted = Literal["none", "largest", "all"]

#: Numbers of an embedding.
LENGTH = 128

#: Distance to similarity: a logistic curve through 0.60 → 80 and 0.50 → 99.
_STEEPNESS = (math.log(99.0) - math.log(4.0)) / 0.1
_MIDDLE = 0.60 + math.log(4.0) / _STEEPNESS

#: Score to confidence: a logistic curve through 0 → 50 and 1 → 99.
_SCORE_STEEPNESS = math.log(99.0)

_DIGITS = 5


@dataclass(frozen=True)
class Seen:
    """A face in a picture.

    Parameters
    ----------
    box
        Left, top, width and height as ratios of the upright picture; may reach beyond its edges.
    side
        Pixels of the file's picture that the shorter side of the box has.
    score
        dlib's score of the detection; 0 is its limit.
    landmarks
        Five points as ratios x, y: outer and inner corner of the eye on the right of the picture, outer and
        inner corner of the one on its left, base of the nose.
    roll
        Degrees by which the line of the eyes is turned clockwise.
    brightness, sharpness
        0 to 100: mean luminance of the face; spread of its Laplacian at a fixed size.
    embedding
        128 numbers of length about 1; empty if they were not asked for.
    """

    box: tuple[float, float, float, float]
    side: float
    score: float
    landmarks: tuple[tuple[float, float], ...]
    roll: float
    brightness: float
    sharpness: float
    embedding: tuple[float, ...] = ()

    @property
    def confidence(self) -> float:
        """How sure the detector is, 0 to 100: an order, no probability."""
        return round(100.0 / (1.0 + math.exp(-_SCORE_STEEPNESS * self.score)), _DIGITS)


def similarity(distance: float) -> float:
    """Return the similarity for a distance of two embeddings.

    An anchor, not a calibration: the same person was measured 0.33 to 0.42 apart and different ones 0.70 to
    1.03, on 9 and 69 pairs, and dlib's authors give 0.6 as their limit. So 0.60 is made to be 80,
    Rekognition's default threshold, and 0.50 to be 99, this project's. What share of the matches at a
    threshold is wrong is not known.

    Parameters
    ----------
    distance
        Euclidean, of two embeddings.

    Returns
    -------
    float
        0 to 100.
    """
    return round(100.0 / (1.0 + math.exp(_STEEPNESS * (distance - _MIDDLE))), _DIGITS)


def farthest(threshold: float) -> float:
    """Return a distance beyond which no similarity reaches a threshold.

    Parameters
    ----------
    threshold
        A similarity, 0 to 100.

    Returns
    -------
    float
        Infinite for 0.
    """
    least = threshold - 10.0**-_DIGITS
    if least <= 0:
        return math.inf
    return _MIDDLE + math.log(100.0 / least - 1.0) / _STEEPNESS + 1e-9
