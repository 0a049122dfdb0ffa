"""dlib: faces found by its HOG detector, five landmarks, and 128 numbers a face by its ResNet."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from typing import Any

import dlib
import numpy as np
from PIL import Image

from crime_engines.faces.seen import Seen, Wanted

#: Pixels that the detector looks at: a smaller picture is enlarged, at most to twice its sides. It sees faces
#: of 80 pixels and more, so the smallest has 40 pixels in a picture of 600 by 600, 94 in one of 1920 by 1080.
LOOKED_AT = 1_500_000
_MOST_ENLARGED = 2.0

#: Faces of a picture, the largest: as many as Rekognition tells of.
MOST_FACES = 100

#: Side of the chip that sharpness is measured on, so that it does not depend on the picture's size.
_CHIP = 96
_FULL_SHARPNESS = 40.0


class Recogniser:
    """dlib's detector and models. Not for several threads: its objects keep state between calls."""

    def __init__(self) -> None:
        folder = weights()
        self._detector: Any = dlib.get_frontal_face_detector()
        # The five-point predictor: the 68-point one was trained on pictures that bar commercial use.
        self._points: Any = dlib.shape_predictor(str(folder / "shape_predictor_5_face_landmarks.dat"))
        self._net: Any = dlib.face_recognition_model_v1(
            str(folder / "dlib_face_recognition_resnet_model_v1.dat")
        )

    def look(self, picture: Image.Image, wanted: Wanted, original: int) -> list[Seen]:
        """Return the faces of a picture, the largest first.

        Parameters
        ----------
        picture
            RGB, upright.
        wanted
            Which faces get an embedding.
        original
            Pixels of the picture in its file, which sizes are told in.

        Returns
        -------
        list of Seen
            At most `MOST_FACES`.
        """
        pixels = np.ascontiguousarray(picture)
        width, height = picture.size
        scale = min(_MOST_ENLARGED, math.sqrt(LOOKED_AT / (width * height)))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        scaled = np.ascontiguousarray(picture.resize(size, Image.Resampling.BILINEAR))
        boxes, scores, _ = self._detector.run(scaled, 0, 0.0)
        scale_x, scale_y = width / size[0], height / size[1]
        found = [
            (_rectangle(box, scale_x, scale_y), float(score))
            for box, score in zip(boxes, scores, strict=True)
        ]
        found.sort(key=lambda one: (-one[0].area(), one[0].left(), one[0].top()))
        grey = np.asarray(picture.convert("L"))
        zoom = math.sqrt(original / (width * height))
        return [
            self._seen(pixels, grey, box, score, zoom, wanted == "all" or (wanted == "largest" and rank == 0))
            for rank, (box, score) in enumerate(found[:MOST_FACES])
        ]

    def _seen(self, pixels: Any, grey: Any, box: Any, score: float, zoom: float, embed: bool) -> Seen:
        height, width = grey.shape
        shape = self._points(pixels, box)
        points = [(point.x, point.y) for point in shape.parts()]
        embedding = tuple(self._net.compute_face_descriptor(pixels, shape)) if embed else ()
        brightness, sharpness = _quality(grey, box)
        left, right = _middle(points[2], points[3]), _middle(points[0], points[1])
        return Seen(
            (box.left() / width, box.top() / height, box.width() / width, box.height() / height),
            min(box.width(), box.height()) * zoom,
            score,
            tuple((x / width, y / height) for x, y in points),
            math.degrees(math.atan2(right[1] - left[1], right[0] - left[0])),
            brightness,
            sharpness,
            embedding,
        )


def weights() -> Path:
    """Return the folder of the models, without importing their package, which needs ``pkg_resources``.

    Returns
    -------
    Path

    Raises
    ------
    RuntimeError
        If the package is not there.
    """
    found = importlib.util.find_spec("face_recognition_models")
    if found is None or found.origin is None:
        raise RuntimeError("The package face_recognition_models is missing: run `make .venv/dev.stamp`.")
    return Path(found.origin).parent / "models"


def _rectangle(box: Any, scale_x: float, scale_y: float) -> Any:
    return dlib.rectangle(
        round(box.left() * scale_x),
        round(box.top() * scale_y),
        round(box.right() * scale_x),
        round(box.bottom() * scale_y),
    )


def _middle(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    return (one[0] + other[0]) / 2, (one[1] + other[1]) / 2


def _quality(grey: Any, box: Any) -> tuple[float, float]:
    part = grey[max(0, box.top()) : box.bottom() + 1, max(0, box.left()) : box.right() + 1]
    if not part.size:
        return 0.0, 0.0
    brightness = float(part.mean()) / 255 * 100
    small = Image.fromarray(part).resize((_CHIP, _CHIP), Image.Resampling.BILINEAR)
    chip = np.asarray(small, dtype=np.float32)
    edges = 4 * chip[1:-1, 1:-1] - chip[:-2, 1:-1] - chip[2:, 1:-1] - chip[1:-1, :-2] - chip[1:-1, 2:]
    return brightness, min(100.0, float(edges.std()) / _FULL_SHARPNESS * 100)
