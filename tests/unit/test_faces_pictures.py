"""Photographs from anyone: whatever the bytes, a picture or one of the reasons; boxes fit, crops are usable."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile, ImageOps

from crime_jobs.faces import pictures
from crime_jobs.faces.pictures import (
    INLINE,
    LEAST_SIDE,
    Picture,
    Reason,
    Unreadable,
    crop,
    fit,
    overlap,
    read,
)
from crime_jobs.model.faces import Box
from tests.photographs import exif, file, head


def reason_of(content: bytes) -> Reason:
    with pytest.raises(Unreadable) as raised:
        read(content)
    return raised.value.reason


def slope(width: int, height: int) -> Image.Image:
    """Red says how far right a pixel is, green how far down."""
    across = np.broadcast_to(np.linspace(0, 255, width), (height, width))
    down = np.broadcast_to(np.linspace(0, 255, height)[:, None], (height, width))
    return Image.fromarray(np.stack([across, down, np.full((height, width), 128)], -1).astype(np.uint8))


def png_that_says(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header claims any size."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packed = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


PLAIN = file(head())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", Reason.EMPTY),
        (b"<!doctype html><title>a page named photo.png</title>", Reason.FORMAT),
        (file(head(), "GIF"), Reason.FORMAT),
        (file(head(), "TIFF"), Reason.FORMAT),
        (PLAIN[:-2000], Reason.DAMAGED),
        (file(head(), "PNG")[:-2000], Reason.DAMAGED),
        (PLAIN[:3], Reason.DAMAGED),
        (b"\xff\xd8\xff" + file(head(), "PNG"), Reason.DAMAGED),
        (file(head().resize((79, 200))), Reason.SMALL),
        (png_that_says(10_001, 100), Reason.LARGE),
        (png_that_says(0, 0), Reason.DAMAGED),
    ],
    ids=[
        "no bytes",
        "HTML",
        "GIF",
        "TIFF",
        "cut JPEG",
        "cut PNG",
        "begins only",
        "two magics",
        "79",
        "10,001",
        "0",
    ],
)
def test_what_can_not_be_read_has_its_reason(content: bytes, reason: Reason) -> None:
    assert reason_of(content) is reason


def test_an_animated_picture_is_refused() -> None:
    frames = file(head(), "PNG", save_all=True, append_images=[head().rotate(90)])
    assert reason_of(frames) is Reason.ANIMATED


def test_a_bomb_is_known_by_its_header(monkeypatch: pytest.MonkeyPatch) -> None:
    """9,000 by 9,000 pixels in a few bytes, and one of 3.6 thousand million: nothing of them is decoded."""

    def explode(_: object) -> None:
        raise AssertionError("it was decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", explode)
    assert reason_of(png_that_says(9_000, 9_000)) is Reason.LARGE
    assert reason_of(png_that_says(60_000, 60_000)) is Reason.LARGE
    assert reason_of(png_that_says(1_000, 1_000)) is Reason.DAMAGED  # what is small enough is decoded


def test_a_jpeg_of_thousands_of_scans_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is decoded over the whole picture: a small file could keep a core for hours."""
    progressive = file(head(), progressive=True)
    scans = progressive.count(b"\xff\xda")
    assert scans > 5
    last = progressive[progressive.rindex(b"\xff\xda") : -2]
    many = progressive[:-2] + last * 30_000 + progressive[-2:]
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("it was decoded"))
    assert reason_of(many) is Reason.LARGE
    monkeypatch.undo()
    assert read(progressive).image.size == head().size


def test_a_text_that_is_a_bomb_is_refused() -> None:
    packed = zlib.compress(bytes(100_000_000))
    body = b"Comment\0\0" + packed
    chunk = struct.pack(">I", len(body)) + b"zTXt" + body + struct.pack(">I", zlib.crc32(b"zTXt" + body))
    plain = file(head(), "PNG")
    assert reason_of(plain[:33] + chunk + plain[33:]) is Reason.DAMAGED


def test_more_bytes_than_any_photograph_has_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MOST_BYTES", len(PLAIN) - 1)
    assert reason_of(PLAIN) is Reason.LARGE


def kinds() -> dict[str, bytes]:
    """The same head in every way that a JPEG or PNG may hold it."""
    grey16 = Image.fromarray((np.asarray(head().convert("L")).astype(np.uint16) << 8) | 0x7F)
    through = head().convert("RGBA")
    through.putalpha(255)
    palette = head().convert("P", palette=Image.Palette.ADAPTIVE)
    return {
        "CMYK": file(head().convert("CMYK")),
        "grey": file(head().convert("L")),
        "progressive": file(head(), progressive=True),
        "16 bits": file(grey16, "PNG"),
        "alpha": file(through, "PNG"),
        "grey alpha": file(through.convert("LA"), "PNG"),
        "palette": file(palette, "PNG"),
        "palette, one colour clear": file(palette, "PNG", transparency=255),
        "EXIF nonsense": file(head(), exif=b"Exif\0\0nonsense" + bytes(range(256))),
        "EXIF that lies": file(head(), exif=exif(77)),
    }


@pytest.mark.parametrize("kind", kinds())
def test_it_is_the_same_picture_whatever_the_file(kind: str) -> None:
    found = read(kinds()[kind])
    assert found.image.mode == "RGB"
    wanted = np.asarray(head().convert("L"), dtype=float)
    assert np.abs(np.asarray(found.image.convert("L"), dtype=float) - wanted).mean() < 12
    assert Image.open(io.BytesIO(fit(found))).format in ("JPEG", "PNG")


def test_what_is_clear_becomes_white() -> None:
    """A face cut out by hand on nothing: the engine sees no black that nobody drew."""
    clear = head().convert("RGBA")
    clear.putalpha(0)
    assert read(file(clear, "PNG")).image.getpixel((5, 5)) == (255, 255, 255)


@pytest.mark.parametrize("turned", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_it_is_turned_upright_and_sent_so(turned: int, kind: str) -> None:
    """Boxes are of the upright picture, so what is sent must not be turned by anyone else again."""
    content = file(slope(200, 120), kind, exif=exif(turned))
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
    found = read(content)
    assert found.image.size == upright.size
    assert np.abs(np.asarray(found.image, dtype=float) - np.asarray(upright, dtype=float)).mean() < 1
    sent = Image.open(io.BytesIO(fit(found)))
    assert sent.size == upright.size
    assert sent.getexif().get(0x0112, 1) == 1
    assert (found.file is not None) == (turned == 1)


def test_what_is_plain_goes_as_it_is() -> None:
    assert fit(read(PLAIN)) == PLAIN


def test_a_picture_of_40_megapixels_is_made_smaller() -> None:
    content = file(slope(800, 500).resize((8000, 5000)))
    found = read(content)
    assert found.image.width * found.image.height <= pictures.WORKED_ON
    assert len(fit(found)) <= INLINE
    # Sizes are told in the file's pixels still.
    assert found.side(Box(left=0.1, top=0.1, width=0.01, height=0.02)) == pytest.approx(80, rel=0.01)


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "16 bits"])
def test_strips_of_a_large_picture_fit_together(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made smaller strip by strip it is what it is when made smaller at once, without a seam."""
    large = head().resize((1500, 1201), Image.Resampling.BICUBIC)
    sixteen = Image.fromarray(np.asarray(large.convert("L")).astype(np.uint16) * 257)
    content = file(sixteen if mode == "16 bits" else large.convert(mode), "PNG")
    at_once = read(content).image
    monkeypatch.setattr(pictures, "WORKED_ON", 640 * 512)
    monkeypatch.setattr(pictures, "_STRIP", 37)
    found = read(content).image
    assert abs(found.width * found.height - 640 * 512) < 2000
    wanted = at_once.resize(found.size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    apart = np.abs(np.asarray(found, dtype=int) - np.asarray(wanted, dtype=int))
    assert apart.mean() < 0.5
    assert apart.max() <= 24


def test_what_has_too_many_bytes_is_made_to_fit() -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (1800, 2400, 3), dtype=np.uint8))
    content = file(noise, "PNG")
    assert len(content) > INLINE
    sent = fit(read(content))
    assert len(sent) <= INLINE
    assert Image.open(io.BytesIO(sent)).format == "JPEG"


def test_a_comment_is_not_carried_along() -> None:
    """What a file says beside its pixels stays at home when a face of it is sent."""
    picture = read(file(head(), comment=b"canary-comment", exif=exif(6)))
    cut = crop(picture, Box(left=0.3, top=0.3, width=0.4, height=0.4))
    assert cut is not None
    for sent in (fit(picture), cut.content):
        assert b"canary" not in sent
        assert not Image.open(io.BytesIO(sent)).getexif()


def test_no_bytes_break_it_in_another_way() -> None:
    """Any bytes behind the two beginnings, and any change of a whole file, end in a picture or a reason."""

    @settings(max_examples=150)
    @given(
        begin=st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b""]),
        rest=st.binary(max_size=200),
    )
    def anything(begin: bytes, rest: bytes) -> None:
        with pytest.raises(Unreadable):
            read(begin + rest)

    small = {kind: file(head().resize((90, 90)), kind) for kind in ("JPEG", "PNG")}

    @settings(max_examples=150)
    @given(st.sampled_from(sorted(small)), st.integers(0, 1 << 16), st.binary(min_size=1, max_size=8))
    def changed(kind: str, where: int, bytes_: bytes) -> None:
        whole = small[kind]
        where %= len(whole)
        try:
            found = read(whole[:where] + bytes_ + whole[where + len(bytes_) :])
        except Unreadable:
            return
        assert found.image.mode == "RGB"

    anything()
    changed()


SLOPES = {size: Picture(slope(*size)) for size in ((100, 80), (300, 90), (80, 400), (640, 480))}
shares = st.floats(-1.5, 2.0)
boxes = st.builds(Box, left=shares, top=shares, width=st.floats(0.001, 3), height=st.floats(0.001, 3))


@given(size=st.sampled_from(sorted(SLOPES)), box=boxes, margin=st.floats(0, 2))
def test_a_crop_is_usable_and_its_face_is_the_one_meant(
    size: tuple[int, int], box: Box, margin: float
) -> None:
    """Wherever the box is: by the colour in the middle of the face it is the face that was asked for."""
    left, right = max(box.left, 0.0), min(box.left + box.width, 1.0)
    top, bottom = max(box.top, 0.0), min(box.top + box.height, 1.0)
    cut = crop(SLOPES[size], box, margin)
    assert (cut is None) == (left >= right or top >= bottom)
    if cut is None:
        return
    image = Image.open(io.BytesIO(cut.content)).convert("RGB")
    assert len(cut.content) <= INLINE
    assert min(image.size) >= LEAST_SIDE
    face = cut.face
    assert -0.01 <= face.left <= face.left + face.width <= 1.01
    assert -0.01 <= face.top <= face.top + face.height <= 1.01
    middle = face.left + face.width / 2, face.top + face.height / 2
    spot = (
        min(int(middle[0] * image.width), image.width - 1),
        min(int(middle[1] * image.height), image.height - 1),
    )
    colour = image.getpixel(spot)
    assert isinstance(colour, tuple)
    pixel = 255 / min(size) * 2  # a box of less than a pixel has the pixel it is in
    assert colour[0] == pytest.approx((left + right) / 2 * 255, abs=pixel + 4)
    assert colour[1] == pytest.approx((top + bottom) / 2 * 255, abs=pixel + 4)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_box_that_is_none_gives_no_crop(value: float) -> None:
    assert crop(SLOPES[100, 80], Box(left=value, top=0.1, width=0.2, height=0.2)) is None


def test_a_small_face_is_enlarged_and_a_neighbour_painted_over() -> None:
    picture = SLOPES[640, 480]
    face = Box(left=0.5, top=0.5, width=0.05, height=0.05)
    other = Box(left=0.54, top=0.5, width=0.05, height=0.05)
    cut = crop(picture, face, 1.0, [other])
    assert cut is not None
    image = Image.open(io.BytesIO(cut.content)).convert("RGB")
    assert cut.face.height * image.height >= 115
    right = cut.face.left + cut.face.width
    grey = image.getpixel((int((right + 0.1) * image.width), image.height // 2))
    kept = image.getpixel((int((right - 0.02) * image.width), image.height // 2))
    assert isinstance(grey, tuple)
    assert isinstance(kept, tuple)
    assert max(abs(part - 128) for part in grey) <= 6
    assert kept[0] == pytest.approx(0.548 * 255, abs=8)  # where both are, the face that is meant stays


@given(boxes, boxes)
def test_overlap_is_a_share(one: Box, other: Box) -> None:
    found = overlap(one, other)
    assert 0 <= found <= 1 + 1e-9
    assert found == pytest.approx(overlap(other, one))
    assert overlap(one, one) == pytest.approx(1)
