"""Photographs from anyone: checked, decoded, turned upright, cut to faces. All of one is taken for hostile.

What it is, its first bytes say, never its name. Its header is looked at before anything is decoded, so a
file that would unfold to gigabytes is refused by what it says of itself.

A JPEG's EXIF says how it is to be turned. Rekognition turns it before it looks, and its boxes are of the
upright picture (https://docs.aws.amazon.com/rekognition/latest/dg/image-orientation.html), so `read` turns it
too. What is not a plain upright picture goes to the engine as a JPEG made anew: then nobody can disagree.
"""

from __future__ import annotations

import contextlib
import io
import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from crime_jobs.model.faces import Box

if TYPE_CHECKING:
    from PIL.Image import Image

#: Bytes of a picture in a request (https://docs.aws.amazon.com/rekognition/latest/dg/limits.html).
INLINE = 5 * 1024**2
#: Pixels a side that Rekognition takes at least and at most (the same page, and
#: https://docs.aws.amazon.com/rekognition/latest/dg/recommendations-facial-input-images.html).
LEAST_SIDE, MOST_SIDE = 80, 10_000
#: Bytes of a file that is fetched at all, and pixels that are decoded: some 330 MB of memory at most.
MOST_BYTES, MOST_PIXELS = 64 * 1024**2, 50_000_000
#: Pixels times scans of a JPEG: 30 scans of the largest picture, a hundred times more of a small one.
MOST_SCANNED = 30 * MOST_PIXELS
#: Pixels that are worked on: a larger picture is made smaller. In 16 million, a face of the 40 pixels that
#: Rekognition asks for at least in 1920 by 1080 has 1 / 10,000 of the picture.
WORKED_ON = 16_000_000

#: Rows that are made at a time where a picture is made smaller, and rows of the original around them.
_STRIP, _EDGE = 256, 16

#: What a file of the two formats begins with.
_BEGINS = {"JPEG": b"\xff\xd8\xff", "PNG": b"\x89PNG\r\n\x1a\n"}
#: Begins a scan of a JPEG, and stands nowhere within one.
_SCAN = b"\xff\xda"
#: Tag of EXIF that says how a picture is turned.
_ORIENTATION = 0x0112
#: A face in a crop has at least so many pixels a side, if enlarging by no more than that gets it there.
_FACE_SIDE, _MOST_ENLARGED = 120, 8.0
_GREY = (128, 128, 128)


class Reason(StrEnum):
    """Why a photograph could not be read or looked at."""

    EMPTY = "empty"
    FORMAT = "neither JPEG nor PNG"
    DAMAGED = "damaged"
    ANIMATED = "animated"
    SMALL = "too small"
    LARGE = "too large"
    GONE = "gone"
    DENIED = "access denied"
    ENGINE = "refused by the engine"


class Unreadable(Exception):  # noqa: N818 - reads as what happened
    """A photograph that can't be used.

    Parameters
    ----------
    reason
        Why; nothing of the photograph is in it.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(str(reason))
        self.reason = reason


@dataclass(frozen=True)
class Picture:
    """A photograph, upright.

    Parameters
    ----------
    image
        Its pixels, RGB, `WORKED_ON` at most.
    scale
        A side of the file's picture is so many times one of `image`.
    file
        The file, if the engine can be given it as it is.
    """

    image: Image = field(repr=False)
    scale: float = 1.0
    file: bytes | None = field(default=None, repr=False)

    def side(self, box: Box) -> float:
        """Return the pixels that the shorter side of a box has in the file's picture.

        Parameters
        ----------
        box
            The box.
        """
        return min(box.width * self.image.width, box.height * self.image.height) * self.scale


def read(content: bytes) -> Picture:
    """Check and decode a photograph.

    Parameters
    ----------
    content
        The file.

    Returns
    -------
    Picture

    Raises
    ------
    Unreadable
        If it is empty, of another format, damaged, animated, too small or too large.
    """
    from PIL import Image

    if not content:
        raise Unreadable(Reason.EMPTY)
    if len(content) > MOST_BYTES:
        raise Unreadable(Reason.LARGE)
    kind = next((kind for kind, begin in _BEGINS.items() if content.startswith(begin)), None)
    if kind is None:
        raise Unreadable(Reason.FORMAT)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes, which are checked here, and of EXIF nonsense
            with Image.open(io.BytesIO(content), formats=(kind,)) as image:
                _check(image, kind, content)
                return _decoded(image, content)
    except (Unreadable, MemoryError):
        raise
    except Image.DecompressionBombError:
        raise Unreadable(Reason.LARGE) from None
    except Exception:  # noqa: BLE001 - decoders raise nearly anything at a damaged file
        # Without what it was made of: a decoder's words may quote the file.
        raise Unreadable(Reason.DAMAGED) from None


def _check(image: Image, kind: str, content: bytes) -> None:
    """Look at what the header says, before anything is decoded."""
    width, height = image.size
    if max(width, height) > MOST_SIDE or width * height > MOST_PIXELS:
        raise Unreadable(Reason.LARGE)
    # A progressive JPEG is decoded once for each scan: some ten, or as many thousands as fit into a file.
    if kind == "JPEG" and content.count(_SCAN) * width * height > MOST_SCANNED:
        raise Unreadable(Reason.LARGE)
    if min(width, height) < LEAST_SIDE:
        raise Unreadable(Reason.SMALL)
    # A JPEG with several pictures is what phones write (depth, gain maps): the first one is the photograph.
    if kind == "PNG" and getattr(image, "n_frames", 1) > 1:
        raise Unreadable(Reason.ANIMATED)


def _decoded(image: Image, content: bytes) -> Picture:
    width, height = image.size
    turned = _orientation(image)
    shrink = min(1.0, math.sqrt(WORKED_ON / (width * height)))
    size = max(1, int(width * shrink)), max(1, int(height * shrink))
    is_plain = image.mode in ("RGB", "L") and turned == 1 and shrink == 1 and "transparency" not in image.info
    if shrink < 1:
        image.draft("RGB", size)  # JPEG only: decodes a half, a quarter or an eighth
    image.load()
    upright = _turned(_rgb(image, size), turned)
    file = content if is_plain and len(content) <= INLINE else None
    return Picture(upright, 1 / shrink, file)


def _orientation(image: Image) -> int:
    with contextlib.suppress(Exception):  # EXIF nonsense is no reason to refuse a picture
        told = image.getexif().get(_ORIENTATION, 1)
        if told in range(2, 9):
            return int(told)
    return 1


def _rgb(image: Image, size: tuple[int, int]) -> Image:
    """Return it as RGB of that size; a large one strip by strip, so that it needs little memory."""
    from PIL import Image as Pillow

    if image.size == size:
        return _plain(image)
    whole, scale = Pillow.new("RGB", size), image.height / size[1]
    for top in range(0, size[1], _STRIP):
        bottom = min(top + _STRIP, size[1])
        first, last = top * scale, min(bottom * scale, image.height)
        above, below = max(0, math.floor(first) - _EDGE), min(image.height, math.ceil(last) + _EDGE)
        part = _plain(image.crop((0, above, image.width, below)))
        box = (0.0, first - above, float(image.width), last - above)
        strip = part.resize((size[0], bottom - top), Pillow.Resampling.LANCZOS, box, reducing_gap=2.0)
        whole.paste(strip, (0, top))
    return whole


def _plain(image: Image) -> Image:
    from PIL import Image as Pillow

    if image.mode.startswith("I"):  # 16 bits of grey
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    elif "transparency" in image.info:
        image = image.convert("RGBA")
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa"):
        image = image.convert("RGBA")
        white = Pillow.new("RGBA", image.size, (255, 255, 255, 255))
        image = Pillow.alpha_composite(white, image)
    plain = image.convert("RGB") if image.mode != "RGB" else image.copy()
    plain.info = {}  # comments and profiles are not carried along
    return plain


def _turned(image: Image, orientation: int) -> Image:
    from PIL.Image import Transpose

    how = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }.get(orientation)
    return image if how is None else image.transpose(how)


def fit(picture: Picture) -> bytes:
    """Return a photograph as it goes to the engine: upright, JPEG or PNG, at most `INLINE` bytes.

    Parameters
    ----------
    picture
        As `read` returned it.

    Returns
    -------
    bytes
        The file itself, where that will do.
    """
    return picture.file if picture.file is not None else _jpeg(picture.image)


def _jpeg(image: Image) -> bytes:
    """Return it as a JPEG of at most `INLINE` bytes: of less quality, then smaller, until it is."""
    qualities = [95, 88, 80]
    while True:
        target = io.BytesIO()
        image.save(target, "JPEG", quality=qualities.pop(0), subsampling=0)
        if target.tell() <= INLINE:
            return target.getvalue()
        if not qualities:
            image = image.resize((max(1, image.width * 3 // 4), max(1, image.height * 3 // 4)))
            qualities = [80]


@dataclass(frozen=True)
class Crop:
    """A face cut out of a photograph.

    Parameters
    ----------
    content
        A JPEG of at most `INLINE` bytes, at least `LEAST_SIDE` pixels a side.
    face
        Where the face is in it.
    """

    content: bytes = field(repr=False)
    face: Box


def crop(picture: Picture, box: Box, margin: float = 0.5, others: Iterable[Box] = ()) -> Crop | None:
    """Cut a face out of a photograph, with some of what is around it.

    Parameters
    ----------
    picture
        As `read` returned it.
    box
        Where the face is; what of it is beyond the picture is left away.
    margin
        How much is kept at each side, as a share of the box.
    others
        Boxes of other faces, which are painted over where they are not in the way of this one.

    Returns
    -------
    Crop
        ``None`` if the box is not in the picture at all. A small face is enlarged, and what is still below
        `LEAST_SIDE` gets a grey edge.
    """
    image = picture.image
    face = _pixels(box, image)
    if face is None:
        return None
    wide, high = (face[2] - face[0]) * margin, (face[3] - face[1]) * margin
    cut = (
        max(0, math.floor(face[0] - wide)),
        max(0, math.floor(face[1] - high)),
        min(image.width, math.ceil(face[2] + wide)),
        min(image.height, math.ceil(face[3] + high)),
    )
    part = image.crop(cut)
    _paint_over(part, cut, face, [_pixels(other, image) for other in others])
    zoom = max(1.0, _FACE_SIDE / min(face[2] - face[0], face[3] - face[1]))
    zoom = min(zoom, _MOST_ENLARGED, MOST_SIDE / max(part.size))
    if zoom > 1:
        part = part.resize((round(part.width * zoom), round(part.height * zoom)))
    part, left, top = _with_edge(part)
    zoom_x, zoom_y = part.width, part.height
    where = Box(
        left=((face[0] - cut[0]) * zoom + left) / zoom_x,
        top=((face[1] - cut[1]) * zoom + top) / zoom_y,
        width=(face[2] - face[0]) * zoom / zoom_x,
        height=(face[3] - face[1]) * zoom / zoom_y,
    )
    return Crop(_jpeg(part), where)


_Pixels = tuple[int, int, int, int]


def _pixels(box: Box, image: Image) -> _Pixels | None:
    """Return the pixels of a box that are in the picture: left, top, right, bottom."""
    sides = (box.left, box.top, box.left + box.width, box.top + box.height)
    if not all(math.isfinite(side) for side in sides):
        return None
    left, top, right, bottom = (min(max(side, 0.0), 1.0) for side in sides)
    found = (
        math.floor(left * image.width),
        math.floor(top * image.height),
        math.ceil(right * image.width),
        math.ceil(bottom * image.height),
    )
    return found if left < right and top < bottom else None


def _paint_over(part: Image, cut: _Pixels, face: _Pixels, others: Iterable[_Pixels | None]) -> None:
    def within(place: _Pixels) -> _Pixels:
        return place[0] - cut[0], place[1] - cut[1], place[2] - cut[0], place[3] - cut[1]

    kept = None
    for other in others:
        if other is None or other == face:
            continue
        kept = kept or part.crop(within(face))
        part.paste(_GREY, within(other))
    if kept is not None:
        part.paste(kept, within(face)[:2])


def _with_edge(part: Image) -> tuple[Image, int, int]:
    from PIL import Image as Pillow

    width, height = max(part.width, LEAST_SIDE), max(part.height, LEAST_SIDE)
    if (width, height) == part.size:
        return part, 0, 0
    whole = Pillow.new("RGB", (width, height), _GREY)
    left, top = (width - part.width) // 2, (height - part.height) // 2
    whole.paste(part, (left, top))
    return whole, left, top


def overlap(one: Box, other: Box) -> float:
    """Return how much of two boxes is common to both, as a share of what they cover together.

    Parameters
    ----------
    one, other
        Boxes of the same picture.

    Returns
    -------
    float
        0 to 1.
    """
    width = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    height = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    if width <= 0 or height <= 0:
        return 0.0
    common = width * height
    return common / (one.width * one.height + other.width * other.height - common)
