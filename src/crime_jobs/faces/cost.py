"""What looking at photographs costs, in calls, dollars and seconds: before it begins, and after."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from crime_jobs.errors import WrongUsage
from crime_jobs.model.faces import FaceSettings

#: Faces of a photograph that an estimate assumes.
ASSUMED_FACES = 1.5

#: Where prices stand. That of the first tier is a setting, since it differs between regions; the others are
#: shares of it, as in us-east-1, as of 2025: how many calls a month the tier takes, and the share.
PRICES = "https://aws.amazon.com/rekognition/pricing/"
_UP_TO_35_MILLION = ((1_000_000, 1.0), (4_000_000, 0.8), (30_000_000, 0.6))
#: The groups that Rekognition counts its calls in, each by itself: what enrols, searches and compares, and
#: what only detects. Beyond 35 million each has its own price.
TIERS: Mapping[str, tuple[tuple[float, float], ...]] = {
    "faces": (*_UP_TO_35_MILLION, (math.inf, 0.4)),
    "detection": (*_UP_TO_35_MILLION, (math.inf, 0.25)),
}
#: Which operation is counted in which group; others cost nothing.
GROUPS: Mapping[str, str] = {
    "detect_faces": "detection",
    "search_faces_by_image": "faces",
    "index_faces": "faces",
    "compare_faces": "faces",
}


@dataclass(frozen=True)
class Estimate:
    """What a match will take, about.

    Parameters
    ----------
    photographs
        That are to be looked at.
    calls
        Of the engine, by operation.
    usd
        US dollars, if the month begins with it; 0 for an engine of one's own.
    seconds
        At least, at the calls a second of the settings.
    """

    photographs: int
    calls: Mapping[str, int]
    usd: float
    seconds: float


def estimate(photographs: int, faces: FaceSettings, assumed: float = ASSUMED_FACES) -> Estimate:
    """Estimate what a match takes: a detection a photograph, a search a face.

    Parameters
    ----------
    photographs
        That are to be looked at.
    faces
        Price, and calls a second.
    assumed
        Faces of a photograph.

    Returns
    -------
    Estimate

    Raises
    ------
    WrongUsage
        If a negative number of faces is assumed, or none that can be counted.
    """
    if not 0 <= assumed < math.inf:
        raise WrongUsage(f"A photograph has no {assumed} faces.", hint="Assume 0 or more.")
    calls = {"detect_faces": photographs, "search_faces_by_image": math.ceil(photographs * assumed)}
    seconds = sum(calls.values()) / faces.calls_per_second
    return Estimate(photographs, calls, usd(calls, faces), seconds)


def usd(calls: Mapping[str, int], faces: FaceSettings) -> float:
    """Return what calls cost, counted from the month's first tier on.

    Parameters
    ----------
    calls
        By operation, as `crime_jobs.faces.engine.Engine` counts them.
    faces
        The price of a call.

    Returns
    -------
    float
        US dollars. Whoever has made calls in the same month before may have reached a cheaper tier: it is
        not more than this.
    """
    groups = dict.fromkeys(TIERS, 0)
    for operation, count in calls.items():
        if operation in GROUPS:
            groups[GROUPS[operation]] += count
    return sum(_tiered(count, TIERS[group]) for group, count in groups.items()) * faces.price_per_call


def _tiered(calls: int, tiers: tuple[tuple[float, float], ...]) -> float:
    left, found = float(calls), 0.0
    for size, share in tiers:
        found += min(left, size) * share
        left = max(0.0, left - size)
    return found
