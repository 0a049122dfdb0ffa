"""Pictures to test with, made from one photograph in the public domain (tests/data/README.md)."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from PIL import Image

#: In the public domain; tests/data/README.md.
PHOTOGRAPH = Path(__file__).parent / "data" / "astronaut.jpg"


def photograph() -> Image.Image:
    """The photograph, 512 by 512; one face of about 90 pixels."""
    return Image.open(PHOTOGRAPH).convert("RGB")


def head() -> Image.Image:
    """The photograph's head and shoulders, 240 by 240: quicker to look at."""
    return photograph().crop((105, 0, 345, 240))


def crowd(across: int, down: int) -> Image.Image:
    """The same face so many times, each on 100 by 100 pixels."""
    face = photograph().crop((155, 45, 290, 180)).resize((100, 100), Image.Resampling.LANCZOS)
    picture = Image.new("RGB", (100 * across, 100 * down))
    for place in range(across * down):
        picture.paste(face, (place % across * 100, place // across * 100))
    return picture


def two() -> Image.Image:
    """A smaller head on the left, a larger one on the right, 440 by 240."""
    picture = Image.new("RGB", (440, 240), (120, 130, 140))
    picture.paste(head().resize((200, 200), Image.Resampling.LANCZOS), (0, 0))
    picture.paste(head(), (200, 0))
    return picture


def nobody() -> Image.Image:
    """A picture with nobody in it: a slope of grey, 240 by 240."""
    return Image.linear_gradient("L").resize((240, 240)).convert("RGB")


def exif(turned: int) -> Image.Exif:
    """EXIF that says how the picture is turned."""
    made = Image.Exif()
    made[0x0112] = turned
    return made


def file(picture: Image.Image, kind: str = "JPEG", **more: Any) -> bytes:
    """A picture as a file."""
    target = io.BytesIO()
    picture.save(target, kind, **({"quality": 92} if kind == "JPEG" else {}) | more)
    return target.getvalue()
