"""Make the pictures of data/faces/ anew from the photograph in tests/data/: `python tools/face_samples.py`.

All of them are of the same person, or of nobody. They are made for the walk through docs/faces.md.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

ROOT = Path(__file__).resolve().parent.parent
PHOTOGRAPH, TARGET = ROOT / "tests" / "data" / "astronaut.jpg", ROOT / "data" / "faces"

#: Whose they are: a made-up key, and a day far enough off for a sample.
KEY, EXPIRES = "MP/2026/0001", "2035-12-31"
SOURCE, GROUND = "sample: NASA portrait in the public domain", "sample: no real missing person"


def head() -> Image.Image:
    """Return the photograph's head and shoulders, 300 by 300 pixels."""
    with Image.open(PHOTOGRAPH) as whole:
        return whole.convert("RGB").crop((75, 0, 375, 300))


def street(*faces: tuple[Image.Image, tuple[int, int]], size: tuple[int, int] = (640, 400)) -> Image.Image:
    """Return a made-up backdrop with faces on it."""
    picture = Image.linear_gradient("L").resize(size).convert("RGB")
    drawing = ImageDraw.Draw(picture)
    for left in range(20, size[0], 90):
        drawing.rectangle((left, 60, left + 40, 150), fill=(150, 160, 170))
    for face, place in faces:
        picture.paste(face, place)
    return picture


def drawn() -> Image.Image:
    """Return a drawing that only looks like a face."""
    picture = Image.new("RGB", (300, 300), (230, 225, 210))
    drawing = ImageDraw.Draw(picture)
    drawing.ellipse((60, 40, 240, 260), outline=(60, 60, 60), width=4)
    for left in (105, 165):
        drawing.ellipse((left, 110, left + 30, 130), fill=(60, 60, 60))
    drawing.arc((110, 170, 190, 220), 10, 170, fill=(60, 60, 60), width=4)
    return picture


def watched() -> dict[str, Image.Image]:
    """Return the pictures of the watch list."""
    with Image.open(PHOTOGRAPH) as whole:
        portrait = whole.convert("RGB").crop((40, 0, 440, 400))
    return {"0001/portrait.jpg": portrait, "0001/closer.jpg": head().crop((30, 0, 270, 240))}


def found() -> dict[str, Image.Image]:
    """Return the pictures that are held against it."""
    small = head().resize((200, 200), Image.Resampling.LANCZOS)
    mirrored = ImageOps.mirror(head())
    return {
        "camera-1/mirrored.jpg": mirrored,
        "camera-1/mirrored-again.jpg": mirrored,
        "camera-1/dim.jpg": ImageEnhance.Brightness(head()).enhance(0.55),
        "camera-1/nobody.jpg": street(),
        "camera-2/street.jpg": street((small, (380, 180))),
        "camera-2/two-faces.jpg": street((small, (40, 180)), (ImageOps.mirror(small), (400, 160))),
        "camera-2/soft.jpg": head().filter(ImageFilter.GaussianBlur(1.2)),
        "camera-2/drawing.jpg": drawn(),
    }


def main() -> None:
    """Write the pictures and the manifest."""
    for folder, pictures in (("watch", watched()), ("photographs", found())):
        for name, picture in pictures.items():
            path = TARGET / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.save(path, "JPEG", quality=85)
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(("photograph", "person_key", "source", "legal_basis", "expires"))
    writer.writerows((name, KEY, SOURCE, GROUND, EXPIRES) for name in watched())
    (TARGET / "watch" / "manifest.csv").write_text(lines.getvalue(), encoding="utf-8")


if __name__ == "__main__":
    main()
