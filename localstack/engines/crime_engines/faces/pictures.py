"""Pictures from anyone: checked, decoded and turned upright. All of a picture is taken for hostile."""

from __future__ import annotations

import contextlib
import io
import warnings

import numpy as np
from PIL import Image, ImageOps

#: Pixels a side that Rekognition takes at least and at most (its guidelines and quotas).
LEAST_SIDE, MOST_SIDE = 80, 10_000

#: Pixels that are decoded at most, so that a picture needs less than half a GiB; Rekognition takes twice
#: as many.
MOST_PIXELS = 50_000_000

#: Pixels that are worked on: a larger picture is made smaller. A face's chip has 150 pixels a side.
WORKED_ON = 4_000_000

#: What a file of the two formats begins with; its name says nothing.
_BEGINS = {"JPEG": b"\xff\xd8\xff", "PNG": b"\x89PNG\r\n\x1a\n"}


class Unfit(Exception):  # noqa: N818 - reads as what happened
    """A picture that is not looked at.

    Parameters
    ----------
    kind
        ``format``, ``large`` or ``small``.
    message
        Why, in Rekognition's words where they are known.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


def decode(content: bytes) -> tuple[Image.Image, int]:
    """Return a picture as RGB, upright by its EXIF, of at most `WORKED_ON` pixels; and how many it had.

    Parameters
    ----------
    content
        The file, JPEG or PNG by its content.

    Returns
    -------
    picture, pixels

    Raises
    ------
    Unfit
        If it is of another format, animated, damaged, too large or too small.
    """
    kind = next((kind for kind, begin in _BEGINS.items() if content.startswith(begin)), None)
    if kind is None:
        raise Unfit("format", "Request has invalid image format")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes: ours are checked below
            with Image.open(io.BytesIO(content), formats=(kind,)) as image:
                _check(image, kind)
                pixels = image.width * image.height
                return _upright(image), pixels
    except (Unfit, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise Unfit("large", "Image size is too large") from error
    except Exception as error:  # decoders raise nearly anything at a damaged file
        raise Unfit("format", "Request has invalid image format") from error


def _check(image: Image.Image, kind: str) -> None:
    """Look at what the header says, before anything is decoded."""
    width, height = image.size
    if max(width, height) > MOST_SIDE:
        raise Unfit(
            "large",
            f"Input image dimensions {width} x {height} exceed maximum dimension size of {MOST_SIDE} pixels",
        )
    if width * height > MOST_PIXELS:
        raise Unfit("large", f"Image size is too large: this engine takes {MOST_PIXELS} pixels at most")
    if min(width, height) < LEAST_SIDE:
        raise Unfit("small", "Request has invalid parameters")
    # A JPEG with several pictures is what phones write (depth, gain maps): the first one is the photograph.
    if kind == "PNG" and getattr(image, "n_frames", 1) > 1:
        raise Unfit("format", "Request has invalid image format")


def _upright(image: Image.Image) -> Image.Image:
    width, height = image.size
    shrink = min(1.0, (WORKED_ON / (width * height)) ** 0.5)
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    turned = 1
    with contextlib.suppress(Exception):  # EXIF nonsense is no reason to refuse a picture
        turned = image.getexif().get(0x0112, 1)
    if shrink < 1:
        image.draft("RGB", size)  # JPEG only: decodes an eighth, quarter or half
    image.load()
    plain = _rgb(image, size)
    if turned in range(2, 9):
        plain.getexif()[0x0112] = turned
        plain = ImageOps.exif_transpose(plain)
    return plain


def _rgb(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits of grey
        image = Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8))
    if image.mode in ("P", "1"):  # which can't be made smaller smoothly
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    elif "transparency" in image.info:
        image = image.convert("RGBA")
    if image.size != size:
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    if image.mode in ("LA", "PA", "RGBA"):
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, image).convert("RGB")
    # Without what the file carried along (EXIF, profiles): a copy of the pixels alone.
    return Image.fromarray(np.array(image.convert("RGB")))
