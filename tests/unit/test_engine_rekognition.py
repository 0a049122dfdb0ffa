"""The engine's Rekognition: faces found and compared for real, collections kept, pictures from anyone survived."""

from __future__ import annotations

import logging
import sqlite3
import stat
import struct
import time
import uuid
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import ClientError
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from crime_engines.faces.pool import Pool
from crime_engines.faces.seen import LENGTH, farthest, similarity
from crime_engines.rekognition.gallery import Gallery
from tests.photographs import crowd, exif, file, head, photograph
from tests.unit.rekognition_engine import Served, serve


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("rekognition")) as served:
        yield served


@pytest.fixture
def collection(engine: Served) -> Iterator[str]:
    """A collection of the test's own."""
    name = f"c-{uuid.uuid4().hex}"
    engine.client.create_collection(CollectionId=name)
    yield name
    engine.client.delete_collection(CollectionId=name)


@pytest.fixture(scope="module")
def face() -> bytes:
    return file(head())


@pytest.fixture(scope="module")
def other() -> Image.Image:
    """A drawn face that the detector takes for one."""
    return drawn()


def drawn() -> Image.Image:
    picture = Image.new("RGB", (240, 240), (120, 130, 140))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((60, 30, 180, 210), fill=(214, 176, 148))
    draw.pieslice((55, 15, 185, 150), 180, 360, fill=(50, 35, 25))
    draw.rectangle((62, 80, 178, 90), fill=(214, 176, 148))
    for x in (95, 145):
        draw.line((x - 16, 92, x + 16, 90), fill=(60, 40, 30), width=5)
        draw.ellipse((x - 13, 100, x + 13, 114), fill=(245, 245, 245))
        draw.ellipse((x - 6, 100, x + 6, 113), fill=(40, 30, 25))
    draw.polygon(((120, 108), (110, 148), (130, 148)), fill=(190, 145, 120))
    draw.ellipse((98, 164, 142, 180), fill=(150, 70, 70))
    draw.line((98, 172, 142, 172), fill=(90, 40, 40), width=2)
    return picture.filter(ImageFilter.GaussianBlur(1.5))


def faces(engine: Served, content: bytes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = engine.client.detect_faces(Image={"Bytes": content})["FaceDetails"]
    return found


def code(call: Any, **given: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**given)
    return str(caught.value.response["Error"]["Code"])


def refused(engine: Served, content: bytes) -> str:
    return code(engine.client.detect_faces, Image={"Bytes": content})


def test_a_face_is_told_with_box_landmarks_roll_and_quality(engine: Served) -> None:
    found = faces(engine, file(photograph()))
    best = max(found, key=lambda one: one["Confidence"])
    box = best["BoundingBox"]
    assert box["Left"] == pytest.approx(0.35, abs=0.03)
    assert box["Top"] == pytest.approx(0.16, abs=0.03)
    assert box["Width"] == pytest.approx(0.17, abs=0.03)
    points = {one["Type"]: (one["X"], one["Y"]) for one in best["Landmarks"]}
    assert points["leftEyeLeft"] < points["leftEyeRight"] < points["rightEyeLeft"] < points["rightEyeRight"]
    assert points["nose"][1] > max(points["eyeLeft"][1], points["eyeRight"][1])
    assert set(best["Pose"]) == {"Roll"}
    assert best["Confidence"] > 95
    assert 30 < best["Quality"]["Brightness"] < 90
    assert best["Quality"]["Sharpness"] > 20


def test_roll_brightness_and_sharpness_follow_the_picture(engine: Served, face: bytes) -> None:
    plain = faces(engine, face)[0]
    turned = faces(engine, file(head().rotate(-12, Image.Resampling.BICUBIC)))[0]
    assert turned["Pose"]["Roll"] - plain["Pose"]["Roll"] == pytest.approx(12, abs=4)
    dark = faces(engine, file(ImageEnhance.Brightness(head()).enhance(0.4)))[0]
    assert dark["Quality"]["Brightness"] < 0.6 * plain["Quality"]["Brightness"]
    soft = faces(engine, file(head().filter(ImageFilter.GaussianBlur(2))))[0]
    assert soft["Quality"]["Sharpness"] < 0.7 * plain["Quality"]["Sharpness"]


@pytest.mark.parametrize(
    "change",
    [
        ImageOps.mirror,
        lambda one: one.resize((160, 160), Image.Resampling.LANCZOS),
        lambda one: one.resize((700, 700), Image.Resampling.LANCZOS),
        lambda one: ImageEnhance.Brightness(one).enhance(0.4),
        lambda one: ImageEnhance.Brightness(one).enhance(1.4),
        lambda one: one.filter(ImageFilter.GaussianBlur(2)),
        lambda one: one.rotate(10, Image.Resampling.BICUBIC),
        lambda one: one.rotate(-15, Image.Resampling.BICUBIC),
        lambda one: one.convert("L").convert("RGB"),
    ],
    ids=["flip", "small", "large", "dark", "bright", "blur", "left", "right", "grey"],
)
def test_the_same_person_is_like_herself(engine: Served, face: bytes, change: Any) -> None:
    said = engine.client.compare_faces(
        SourceImage={"Bytes": face}, TargetImage={"Bytes": file(change(head()))}, SimilarityThreshold=99
    )
    assert said["FaceMatches"][0]["Similarity"] >= 99


def test_a_worn_jpeg_is_like_herself(engine: Served, face: bytes) -> None:
    said = engine.client.compare_faces(
        SourceImage={"Bytes": face}, TargetImage={"Bytes": file(head(), quality=10)}
    )
    assert said["FaceMatches"][0]["Similarity"] >= 80


def test_another_face_is_unmatched(engine: Served, face: bytes, other: Image.Image) -> None:
    both = Image.new("RGB", (480, 240))
    both.paste(other, (0, 0))
    both.paste(head(), (240, 0))
    said = engine.client.compare_faces(SourceImage={"Bytes": face}, TargetImage={"Bytes": file(both)})
    assert [one["Face"]["BoundingBox"]["Left"] > 0.5 for one in said["FaceMatches"]] == [True]
    assert [one["BoundingBox"]["Left"] < 0.5 for one in said["UnmatchedFaces"]] == [True]
    alike = engine.client.compare_faces(
        SourceImage={"Bytes": face}, TargetImage={"Bytes": file(other)}, SimilarityThreshold=0
    )
    assert alike["FaceMatches"][0]["Similarity"] < 50
    assert alike["UnmatchedFaces"] == []


def test_no_face_is_no_match(engine: Served, face: bytes, collection: str) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    nobody = file(Image.fromarray(noise))
    assert faces(engine, nobody) == []
    compare = engine.client.compare_faces
    assert code(compare, SourceImage={"Bytes": nobody}, TargetImage={"Bytes": face}) == (
        "InvalidParameterException"
    )
    assert code(compare, SourceImage={"Bytes": face}, TargetImage={"Bytes": nobody}) == (
        "InvalidParameterException"
    )
    with pytest.raises(ClientError, match="There are no faces in the image"):
        engine.client.search_faces_by_image(CollectionId=collection, Image={"Bytes": nobody})
    said = engine.client.index_faces(CollectionId=collection, Image={"Bytes": nobody})
    assert (said["FaceRecords"], said["UnindexedFaces"]) == ([], [])


def test_a_tiny_face_is_not_seen_or_not_kept(engine: Served, collection: str) -> None:
    picture = Image.new("RGB", (300, 300), (90, 90, 90))
    picture.paste(head().resize((110, 110), Image.Resampling.LANCZOS), (90, 90))
    said = engine.client.index_faces(
        CollectionId=collection, Image={"Bytes": file(picture)}, QualityFilter="HIGH"
    )
    assert said["FaceRecords"] == []
    assert all("SMALL_BOUNDING_BOX" in one["Reasons"] for one in said["UnindexedFaces"])
    picture.paste((90, 90, 90), (90, 90, 200, 200))
    picture.paste(head().resize((36, 36)), (90, 90))
    assert faces(engine, file(picture)) == []


def test_at_most_a_hundred_faces_are_told(engine: Served) -> None:
    assert len(faces(engine, file(crowd(11, 10)))) == 100


def test_the_largest_faces_are_kept_and_the_others_have_a_reason(engine: Served, collection: str) -> None:
    both = Image.new("RGB", (440, 240))
    both.paste(head().resize((200, 200), Image.Resampling.LANCZOS), (0, 0))
    both.paste(head(), (200, 0))
    said = engine.client.index_faces(
        CollectionId=collection, Image={"Bytes": file(both)}, MaxFaces=1, ExternalImageId="two"
    )
    (kept,), (left,) = said["FaceRecords"], said["UnindexedFaces"]
    assert kept["Face"]["BoundingBox"]["Left"] > 0.4 > left["FaceDetail"]["BoundingBox"]["Left"]
    assert left["Reasons"] == ["EXCEEDS_MAX_FACES"]
    assert kept["Face"]["ExternalImageId"] == "two"
    dark = file(ImageEnhance.Brightness(head()).enhance(0.15))
    said = engine.client.index_faces(CollectionId=collection, Image={"Bytes": dark}, QualityFilter="HIGH")
    assert said["FaceRecords"] == []
    assert "LOW_BRIGHTNESS" in said["UnindexedFaces"][0]["Reasons"]


def test_an_indexed_face_is_found_and_not_twice_kept(engine: Served, collection: str, face: bytes) -> None:
    client = engine.client
    given = {"CollectionId": collection, "Image": {"Bytes": face}, "ExternalImageId": "mp:1"}
    first, again = client.index_faces(**given), client.index_faces(**given)
    kept = first["FaceRecords"][0]["Face"]
    assert again["FaceRecords"][0]["Face"] == kept
    flipped = client.index_faces(
        CollectionId=collection, Image={"Bytes": file(ImageOps.mirror(head()))}, ExternalImageId="mp:2"
    )["FaceRecords"][0]["Face"]
    assert client.describe_collection(CollectionId=collection)["FaceCount"] == 2
    engine.s3.objects["s3://bucket/a b.jpg"] = face
    found = client.search_faces_by_image(
        CollectionId=collection, Image={"S3Object": {"Bucket": "bucket", "Name": "a b.jpg"}}
    )
    assert [one["Face"]["FaceId"] for one in found["FaceMatches"]] == [kept["FaceId"], flipped["FaceId"]]
    assert found["FaceMatches"][0]["Similarity"] > 99.9
    assert found["FaceMatches"][0]["Face"] == kept
    near = client.search_faces(CollectionId=collection, FaceId=kept["FaceId"])
    assert [one["Face"]["FaceId"] for one in near["FaceMatches"]] == [flipped["FaceId"]]
    assert (
        client.search_faces_by_image(CollectionId=collection, Image={"Bytes": face}, MaxFaces=1)[
            "FaceMatches"
        ]
        == found["FaceMatches"][:1]
    )
    gone = client.delete_faces(CollectionId=collection, FaceIds=[kept["FaceId"], str(uuid.uuid4())])
    assert gone["DeletedFaces"] == [kept["FaceId"]]
    assert gone["UnsuccessfulFaceDeletions"][0]["Reasons"] == ["FACE_NOT_FOUND"]
    found = client.search_faces_by_image(CollectionId=collection, Image={"Bytes": face})
    assert [one["Face"]["FaceId"] for one in found["FaceMatches"]] == [flipped["FaceId"]]
    assert code(client.search_faces, CollectionId=collection, FaceId=kept["FaceId"]) == (
        "InvalidParameterException"
    )


def test_a_drawn_face_is_searched_in_vain(
    engine: Served, collection: str, face: bytes, other: Image.Image
) -> None:
    engine.client.index_faces(CollectionId=collection, Image={"Bytes": face})
    said = engine.client.search_faces_by_image(CollectionId=collection, Image={"Bytes": file(other)})
    assert said["FaceMatches"] == []


def test_faces_are_listed_by_page(engine: Served, collection: str) -> None:
    client = engine.client
    client.index_faces(CollectionId=collection, Image={"Bytes": file(crowd(5, 1))}, QualityFilter="NONE")
    everything = client.list_faces(CollectionId=collection)["Faces"]
    assert len(everything) == 5
    pages = list(client.get_paginator("list_faces").paginate(CollectionId=collection, MaxResults=2))
    assert [len(page["Faces"]) for page in pages] == [2, 2, 1]
    assert [one for page in pages for one in page["Faces"]] == everything
    # What is deleted between two pages moves nothing.
    token = pages[0]["NextToken"]
    client.delete_faces(CollectionId=collection, FaceIds=[everything[1]["FaceId"]])
    assert (
        client.list_faces(CollectionId=collection, MaxResults=2, NextToken=token)["Faces"] == everything[2:4]
    )
    one = everything[3]
    assert client.list_faces(CollectionId=collection, FaceIds=[one["FaceId"]])["Faces"] == [one]
    for bad in ("x", "eHh4", token[:-4]):
        assert code(client.list_faces, CollectionId=collection, NextToken=bad) == (
            "InvalidPaginationTokenException"
        )


def test_collections_are_made_listed_and_removed_by_region(engine: Served) -> None:
    client, names = engine.client, [f"z{uuid.uuid4().hex}" for _ in range(3)]
    for name in names:
        made = client.create_collection(CollectionId=name)
    assert made["CollectionArn"] == f"arn:aws:rekognition:us-east-1:000000000000:collection/{names[-1]}"
    assert code(client.create_collection, CollectionId=names[0]) == "ResourceAlreadyExistsException"
    pages = client.get_paginator("list_collections").paginate(MaxResults=2)
    listed = [name for page in pages for name in page["CollectionIds"]]
    assert listed == sorted(listed)
    assert set(names) <= set(listed)
    elsewhere = engine.other_region()
    assert elsewhere.list_collections()["CollectionIds"] == []
    assert code(elsewhere.describe_collection, CollectionId=names[0]) == "ResourceNotFoundException"
    for name in names:
        client.delete_collection(CollectionId=name)
    for call in (client.delete_collection, client.describe_collection, client.list_faces):
        with pytest.raises(ClientError, match="The collection id: .* does not exist"):
            call(CollectionId=names[0])
    assert code(client.create_collection, CollectionId="a b") == "ValidationException"
    assert code(client.list_collections, NextToken="eHh4") == "InvalidPaginationTokenException"


def test_collections_outlive_the_engine_and_say_nothing_on_disk(tmp_path: Path, face: bytes) -> None:
    with serve(tmp_path) as first:
        first.client.create_collection(CollectionId="watch", Tags={"purpose": "missing"})
        kept = first.client.index_faces(
            CollectionId="watch", Image={"Bytes": face}, ExternalImageId="Asha-1"
        )["FaceRecords"][0]["Face"]
    folder = tmp_path / "rekognition"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert b"Asha-1" not in b"".join(path.read_bytes() for path in folder.iterdir())
    with serve(tmp_path) as again:
        found = again.client.search_faces_by_image(CollectionId="watch", Image={"Bytes": face})
        assert [one["Face"] for one in found["FaceMatches"]] == [kept]
    # A face that was moved to another name is not taken for that one.
    with sqlite3.connect(folder / "collections.sqlite") as db:
        db.execute("UPDATE faces SET face = ?", (str(uuid.uuid4()),))
    with serve(tmp_path) as tampered:
        assert code(tampered.client.list_faces, CollectionId="watch") == "InternalServerError"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(lambda: file(head().rotate(90, expand=True), exif=exif(6)), id="exif 6"),
        pytest.param(lambda: file(head().rotate(180), exif=exif(3)), id="exif 3"),
        pytest.param(lambda: file(head().rotate(-90, expand=True), "PNG", exif=exif(8)), id="png exif 8"),
        pytest.param(
            lambda: file(head(), exif=b"Exif\0\0II*\0\xff\xff\xff\x7f" + b"\xff" * 50), id="nonsense"
        ),
        pytest.param(lambda: file(head(), exif=exif(99)), id="exif 99"),
        pytest.param(lambda: file(head().convert("CMYK")), id="cmyk"),
        pytest.param(lambda: file(head().convert("L")), id="grey"),
        pytest.param(lambda: file(opaque(), "PNG"), id="alpha"),
        pytest.param(lambda: file(head().convert("LA"), "PNG"), id="grey alpha"),
        pytest.param(lambda: file(head().quantize(128), "PNG"), id="palette"),
        pytest.param(lambda: file(sixteen(), "PNG"), id="16 bits"),
        pytest.param(lambda: png(240, 240, deep(), depth=16), id="16 bits a colour"),
    ],
)
def test_every_kind_of_picture_shows_the_same_face(engine: Served, face: bytes, content: Any) -> None:
    said = engine.client.compare_faces(SourceImage={"Bytes": face}, TargetImage={"Bytes": content()})
    (match,) = said["FaceMatches"]
    assert match["Similarity"] >= 95
    box = faces(engine, face)[0]["BoundingBox"]
    for name, value in match["Face"]["BoundingBox"].items():
        assert value == pytest.approx(box[name], abs=0.05), name


def opaque() -> Image.Image:
    picture = head().convert("RGBA")
    picture.paste((0, 0, 0, 0), (0, 0, 240, 6))
    return picture


def sixteen() -> Image.Image:
    return Image.fromarray(np.asarray(head().convert("L")).astype(np.uint16) * 257)


def deep() -> bytes:
    """The data of a PNG of 16 bits a colour, which Pillow reads and does not write."""
    rows = np.asarray(head()).astype(">u2") * 257
    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in rows)
    return zlib.compress(lines)


def png(width: int, height: int, data: bytes = b"", depth: int = 8, text: bytes = b"") -> bytes:
    """A PNG that says to be so large; its text, if any, is compressed."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    said = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(text, 9)) if text else b""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + said + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_files_that_are_no_pictures_are_refused(engine: Served, face: bytes) -> None:
    form = "InvalidImageFormatException"
    still = [head(), ImageOps.mirror(head())]
    assert refused(engine, b"<!doctype html><title>faces.png</title>" * 20) == form
    assert refused(engine, file(head(), "GIF")) == form
    assert refused(engine, file(head(), "WEBP")) == form
    assert refused(engine, file(still[0], "PNG", save_all=True, append_images=still[1:])) == form
    assert refused(engine, face[: len(face) // 2]) == form
    assert refused(engine, file(head(), "PNG")[:20_000]) == form
    assert refused(engine, face[:40]) == form
    assert refused(engine, b"\xff\xd8\xff" + bytes(1000)) == form
    assert refused(engine, png(200, 200, zlib.compress(b"x"))) == form
    assert refused(engine, b"") == "ValidationException"
    assert faces(engine, face)  # and the engine goes on


def test_a_file_is_what_it_holds_not_what_it_is_called(engine: Served) -> None:
    place = {"Bucket": "bucket", "Name": "lying.jpg"}
    engine.s3.objects["s3://bucket/lying.jpg"] = file(head(), "PNG")
    assert len(engine.client.detect_faces(Image={"S3Object": place})["FaceDetails"]) == 1
    engine.s3.objects["s3://bucket/lying.jpg"] = b"<html>"
    assert code(engine.client.detect_faces, Image={"S3Object": place}) == "InvalidImageFormatException"
    engine.s3.objects["s3://bucket/lying.jpg"] = b""
    assert code(engine.client.detect_faces, Image={"S3Object": place}) == "InvalidImageFormatException"


def test_pictures_out_of_bounds_are_refused_before_they_are_decoded(engine: Served, face: bytes) -> None:
    large, begun = "ImageTooLargeException", time.monotonic()
    bomb = zlib.compress(bytes(4_000_000), 9)
    assert refused(engine, png(30_000, 30_000, bomb)) == large
    assert refused(engine, png(10_001, 100, bomb)) == large
    assert refused(engine, png(9_000, 9_000, bomb)) == large
    assert refused(engine, png(2**31 - 1, 2**31 - 1, bomb)) == large
    assert refused(engine, face + bytes(5 * 1024**2)) == large
    assert time.monotonic() - begun < 20  # with the start of a worker on a busy machine
    assert refused(engine, file(head().resize((79, 200)))) == "InvalidParameterException"
    engine.s3.objects["s3://bucket/large"] = face + bytes(6 * 1024**2)
    place = {"Bucket": "bucket", "Name": "large"}
    assert engine.client.detect_faces(Image={"S3Object": place})["FaceDetails"]
    engine.s3.objects["s3://bucket/large"] = face + bytes(15 * 1024**2)
    assert code(engine.client.detect_faces, Image={"S3Object": place}) == large


def test_a_text_that_is_a_bomb_is_not_unpacked(engine: Served) -> None:
    lines = zlib.compress(b"".join(b"\0" + row.tobytes() for row in np.asarray(head())))
    assert len(faces(engine, png(240, 240, lines, text=b"no bomb"))) == 1
    told = png(240, 240, lines, text=bytes(64 * 1024**2))  # 64 KiB of file
    assert refused(engine, told) == "InvalidImageFormatException"


def test_forty_megapixels_are_looked_at(engine: Served, face: bytes) -> None:
    picture = head().resize((6400, 6400), Image.Resampling.BILINEAR)
    said = engine.client.compare_faces(
        SourceImage={"Bytes": face}, TargetImage={"Bytes": file(picture, quality=70)}
    )
    assert len(said["FaceMatches"]) == 1


def test_what_cant_be_had_or_done_is_said(engine: Served, face: bytes, collection: str) -> None:
    client = engine.client
    place = {"Bucket": "bucket", "Name": "missing.jpg"}
    with pytest.raises(ClientError, match="Unable to get object metadata from S3") as caught:
        client.detect_faces(Image={"S3Object": place})
    assert caught.value.response["Error"]["Code"] == "InvalidS3ObjectException"
    engine.s3.failing["s3://bucket/barred.jpg"] = (403, "AccessDenied")
    barred = {"S3Object": {"Bucket": "bucket", "Name": "barred.jpg"}}
    assert code(client.detect_faces, Image=barred) == "InvalidS3ObjectException"
    engine.s3.failing["s3://bucket/barred.jpg"] = (503, "SlowDown")
    assert code(client.detect_faces, Image=barred) == "InternalServerError"
    for image in ({}, {"Bytes": face, "S3Object": place}):
        assert code(client.detect_faces, Image=image) == "InvalidParameterException"
    with pytest.raises(ClientError, match="guesses no age"):
        client.detect_faces(Image={"Bytes": face}, Attributes=["ALL"])
    assert code(client.search_faces_by_image, CollectionId="nobody", Image={"Bytes": face}) == (
        "ResourceNotFoundException"
    )
    assert code(
        client.search_faces_by_image, CollectionId=collection, Image={"Bytes": face}, MaxFaces=4097
    ) == ("ValidationException")
    assert code(client.detect_labels, Image={"Bytes": face}) == "UnknownOperationException"


def test_each_answer_says_which_engine_gave_it(engine: Served, collection: str) -> None:
    said = engine.client.describe_collection(CollectionId=collection)
    assert said["FaceModelVersion"] == "20.0.1"
    assert said["ResponseMetadata"]["HTTPHeaders"]["x-crime-jobs-engine"] == "dlib/20.0.1"
    with pytest.raises(ClientError) as caught:
        engine.client.describe_collection(CollectionId="nobody")
    told = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert told["x-crime-jobs-engine"] == "dlib/20.0.1"


@pytest.mark.parametrize("name", ["ThrottlingException", "AccessDeniedException"])
def test_faults_are_ordered(engine: Served, name: str) -> None:
    engine.control.add_fault({"operation": "ListCollections", "code": name, "times": 1})
    assert code(engine.client.list_collections) == name
    engine.client.list_collections()


def test_too_many_calls_are_told_to_slow_down(engine: Served, face: bytes, monkeypatch: Any) -> None:
    class Full:
        def acquire(self, blocking: bool) -> bool:
            return False

    monkeypatch.setattr(engine.service._pool, "_room", Full())
    assert refused(engine, face) == "ProvisionedThroughputExceededException"


def test_a_worker_that_dies_costs_one_answer(engine: Served, face: bytes, monkeypatch: Any) -> None:
    pool = engine.service._pool
    faces(engine, face)
    with pool._lock:
        victims = list(pool._all)
    ask = pool._take

    def take() -> Any:
        worker = ask()
        worker.kill()
        worker.wait()
        return worker

    monkeypatch.setattr(pool, "_take", take)
    assert refused(engine, face) == "InternalServerError"
    monkeypatch.undo()
    assert len(faces(engine, face)) == 1
    engine_workers = pool._all
    assert len(engine_workers) <= pool.size
    assert any(worker.poll() is not None for worker in victims)


def test_nothing_of_a_face_is_logged(
    engine: Served, face: bytes, collection: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "crime_engines"):
        said = engine.client.index_faces(
            CollectionId=collection, Image={"Bytes": face}, ExternalImageId="secret-person"
        )
        code(engine.client.index_faces, CollectionId=collection, Image={"Bytes": b"secret-person"})
        code(engine.client.list_faces, CollectionId="secret person")
    assert "IndexFaces" in caplog.text
    assert "secret" not in caplog.text
    assert said["FaceRecords"][0]["Face"]["FaceId"] not in caplog.text


def test_workers_end_with_the_pool_and_with_who_started_them() -> None:
    pool, picture = Pool(1), file(head())
    assert len(pool.look(picture, "none")) == 1
    (first,) = pool._all
    assert first.stdin is not None
    first.stdin.close()  # as it is when the engine is killed
    assert first.wait(30) == 0
    assert len(pool.look(picture, "none")) == 1
    (second,) = pool._all
    pool.close()
    assert second.poll() is not None


def test_calls_at_once_get_their_own_answers(engine: Served) -> None:
    pictures = [file(crowd(number, 1)) for number in (1, 2, 3)] * 2
    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(lambda one: len(faces(engine, one)), pictures))
    assert found == [1, 2, 3, 1, 2, 3]


def test_similarity_goes_through_its_anchors_and_falls() -> None:
    assert similarity(0.60) == pytest.approx(80, abs=1e-3)
    assert similarity(0.50) == pytest.approx(99, abs=1e-3)
    assert similarity(0.0) == 100
    values = [similarity(distance / 100) for distance in range(20, 150)]
    assert values == sorted(values, reverse=True)
    for threshold in (1.0, 50.0, 80.0, 99.0, 100.0):
        assert similarity(farthest(threshold) + 1e-6) < threshold
    for threshold in (1.0, 50.0, 80.0, 99.0):
        assert similarity(farthest(threshold) - 1e-5) >= threshold


def test_the_search_of_a_hundred_thousand_faces_is_exact_and_fast() -> None:
    random = np.random.default_rng(7)
    rows = random.normal(size=(100_000, LENGTH)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    asked = rows[500] + random.normal(scale=0.02, size=LENGTH).astype(np.float32)
    rows[1000:1300] = asked + random.normal(scale=0.05, size=(300, LENGTH)).astype(np.float32)
    names = [f"{number:06}" for number in range(len(rows))]
    gallery = Gallery(zip(names, rows, strict=True))
    distances = np.linalg.norm(rows.astype(np.float64) - asked.astype(np.float64), axis=1)
    truth = [(names[place], similarity(distances[place])) for place in np.argsort(distances, kind="stable")]
    for threshold, most in ((80.0, 4096), (99.0, 20), (0.0, 4096), (100.0, 5)):
        expected = [one for one in truth[:most] if one[1] >= threshold]
        assert gallery.search(asked, threshold, most) == expected
    times = []
    for _ in range(7):
        begun = time.perf_counter()
        gallery.search(asked, 80.0, 10)
        times.append(time.perf_counter() - begun)
    assert min(times) < 0.05  # 5 to 10 ms alone on a core
    gallery.remove(truth[0][0])
    assert gallery.search(asked, 80.0, 1)[0][0] == truth[1][0]
    assert gallery.search(rows[1299], 0.0, 1, without="001299")[0][0] != "001299"
