"""What a job may rely on of Rekognition: the same calls to the engine that stands for it here, or to AWS.

Run against AWS: ``CRIME_JOBS_CONFORMANCE_AWS=1 CRIME_JOBS_CONFORMANCE_BUCKET=… pytest`` with this file, with
credentials as any AWS tool takes them and CRIME_JOBS_CONFORMANCE_REGION where that is not us-east-1. It makes
collections named crime-conformance-… and objects under crime-conformance/, and removes them. Nothing here
knows the engine: where AWS does not say which of two codes it answers with, both are taken.
"""

from __future__ import annotations

import os
import struct
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from tests.photographs import exif, file, head, nobody, photograph, two

#: Read at import: the tests' session takes such variables away.
AWS = os.environ.get("CRIME_JOBS_CONFORMANCE_AWS") == "1"
OUTSIDE = {name: os.environ[name] for name in os.environ if name.startswith("AWS_")} if AWS else {}
REGION = os.environ.get("CRIME_JOBS_CONFORMANCE_REGION", "us-east-1")
BUCKET = os.environ.get("CRIME_JOBS_CONFORMANCE_BUCKET", "")

#: For what the model of the service does not allow: which of the two comes is not documented.
INVALID = {"ValidationException", "InvalidParameterException"}

#: https://docs.aws.amazon.com/rekognition/latest/APIReference/API_UnindexedFace.html
REASONS = {
    *("EXCEEDS_MAX_FACES", "EXTREME_POSE", "LOW_BRIGHTNESS", "LOW_SHARPNESS", "LOW_CONFIDENCE"),
    *("SMALL_BOUNDING_BOX", "LOW_FACE_QUALITY"),
}


@dataclass(frozen=True)
class Place:
    """Where the suite runs."""

    client: Any
    s3: Any
    bucket: str

    def put(self, content: bytes, key: str = "") -> dict[str, str]:
        """Put a picture into the bucket, and return the place of it."""
        key = f"crime-conformance/{key or uuid.uuid4().hex}"
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=content)
        return {"Bucket": self.bucket, "Name": key}


@pytest.fixture(scope="module")
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    if AWS:
        assert BUCKET, "CRIME_JOBS_CONFORMANCE_BUCKET has to name a bucket of yours"
        with pytest.MonkeyPatch.context() as patch:
            for name, value in OUTSIDE.items():
                patch.setenv(name, value)
            plain = Config(parameter_validation=False, retries={"mode": "standard"})
            session = boto3.Session(region_name=REGION)
            made = Place(session.client("rekognition", config=plain), session.client("s3"), BUCKET)
            yield made
            _clear(made)
        return
    env = request.getfixturevalue("stack").env

    def client(service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=env.get(f"AWS_ENDPOINT_URL_{service.upper()}", env["AWS_ENDPOINT_URL"]),
            region_name=env["AWS_REGION"],
            aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
            config=Config(parameter_validation=False, proxies={}, s3={"addressing_style": "path"}),
        )

    made = Place(client("rekognition"), client("s3"), f"crime-conformance-{uuid.uuid4().hex[:12]}")
    made.s3.create_bucket(Bucket=made.bucket)
    status = {"Status": "Enabled"}
    made.s3.put_bucket_versioning(Bucket=made.bucket, VersioningConfiguration=status)
    yield made
    _clear(made)
    made.s3.delete_bucket(Bucket=made.bucket)


def _clear(place: Place) -> None:
    pages = place.s3.get_paginator("list_object_versions").paginate(
        Bucket=place.bucket, Prefix="crime-conformance/"
    )
    for page in pages:
        for one in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            place.s3.delete_object(Bucket=place.bucket, Key=one["Key"], VersionId=one["VersionId"])


@pytest.fixture
def collection(place: Place) -> Iterator[str]:
    """An empty collection."""
    name = f"crime-conformance-{uuid.uuid4().hex}"
    place.client.create_collection(CollectionId=name)
    yield name
    place.client.delete_collection(CollectionId=name)


@pytest.fixture(scope="module")
def face() -> bytes:
    return file(head())


@pytest.fixture(scope="module")
def watch(place: Place, face: bytes) -> Iterator[tuple[str, str, str]]:
    """A collection with a face and its mirror image; and their ids."""
    name = f"crime-conformance-{uuid.uuid4().hex}"
    place.client.create_collection(CollectionId=name)
    ids = []
    for external, content in (("mp:1", face), ("mp:2", file(ImageOps.mirror(head())))):
        said = place.client.index_faces(
            CollectionId=name, Image={"Bytes": content}, ExternalImageId=external, MaxFaces=1
        )
        ids.append(said["FaceRecords"][0]["Face"]["FaceId"])
    yield name, ids[0], ids[1]
    place.client.delete_collection(CollectionId=name)


def code(call: Any, **given: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**given)
    return str(caught.value.response["Error"]["Code"])


def boxes(said: list[dict[str, Any]]) -> list[dict[str, float]]:
    return [one["BoundingBox"] for one in said]


# DetectFaces


def test_detect_tells_of_a_face_from_a_request_and_from_s3(place: Place) -> None:
    content = file(photograph())
    inline = place.client.detect_faces(Image={"Bytes": content})["FaceDetails"]
    stored = place.client.detect_faces(Image={"S3Object": place.put(content)})["FaceDetails"]
    assert boxes(inline) == boxes(stored)
    best = max(inline, key=lambda one: one["Confidence"])
    box = best["BoundingBox"]
    middle = box["Left"] + box["Width"] / 2, box["Top"] + box["Height"] / 2
    assert middle == (pytest.approx(0.44, abs=0.05), pytest.approx(0.25, abs=0.06))
    points = {one["Type"]: (one["X"], one["Y"]) for one in best["Landmarks"]}
    assert points["eyeLeft"][0] < points["nose"][0] < points["eyeRight"][0]
    assert points["nose"][1] > max(points["eyeLeft"][1], points["eyeRight"][1])
    assert abs(best["Pose"]["Roll"]) < 30
    assert best["Confidence"] > 90
    assert 0 < best["Quality"]["Brightness"] <= 100
    assert 0 < best["Quality"]["Sharpness"] <= 100


def test_nobody_is_an_answer_of_detect(place: Place) -> None:
    assert place.client.detect_faces(Image={"Bytes": file(nobody())})["FaceDetails"] == []


@pytest.mark.parametrize(
    ("turned", "orientation"), [(0, 1), (180, 3), (90, 6), (-90, 8)], ids=["1", "3", "6", "8"]
)
def test_a_jpeg_is_turned_by_its_exif(place: Place, face: bytes, turned: int, orientation: int) -> None:
    # https://docs.aws.amazon.com/rekognition/latest/dg/image-orientation.html: boxes are of the upright picture
    content = file(head().rotate(turned, expand=True), exif=exif(orientation))
    (box,) = boxes(place.client.detect_faces(Image={"Bytes": content})["FaceDetails"])
    (upright,) = boxes(place.client.detect_faces(Image={"Bytes": face})["FaceDetails"])
    assert box == {name: pytest.approx(value, abs=0.05) for name, value in upright.items()}


def test_a_png_is_a_png_whatever_its_name(place: Place) -> None:
    lying = place.put(file(head(), "PNG"), "lying.jpg")
    assert len(place.client.detect_faces(Image={"S3Object": lying})["FaceDetails"]) == 1


def test_a_version_of_an_object_is_looked_at(place: Place) -> None:
    if place.s3.get_bucket_versioning(Bucket=place.bucket).get("Status") != "Enabled":
        pytest.skip("the bucket keeps no versions")
    key = f"crime-conformance/{uuid.uuid4().hex}"
    first = place.s3.put_object(Bucket=place.bucket, Key=key, Body=file(head()))["VersionId"]
    place.s3.put_object(Bucket=place.bucket, Key=key, Body=file(nobody()))
    there = {"Bucket": place.bucket, "Name": key}
    assert place.client.detect_faces(Image={"S3Object": there})["FaceDetails"] == []
    assert len(place.client.detect_faces(Image={"S3Object": there | {"Version": first}})["FaceDetails"]) == 1


# CompareFaces


def test_compare_finds_the_same_person_in_pictures_that_differ(place: Place, face: bytes) -> None:
    for changed in (
        ImageOps.mirror(head()),
        head().resize((480, 480), Image.Resampling.LANCZOS),
        ImageEnhance.Brightness(head()).enhance(0.6),
    ):
        said = place.client.compare_faces(
            SourceImage={"Bytes": face}, TargetImage={"Bytes": file(changed)}, SimilarityThreshold=99
        )
        (match,) = said["FaceMatches"]
        assert match["Similarity"] >= 99
        assert said["UnmatchedFaces"] == []


def test_compare_takes_the_largest_face_of_the_source_and_all_of_the_target(
    place: Place, face: bytes
) -> None:
    both = place.put(file(two()))
    said = place.client.compare_faces(SourceImage={"S3Object": both}, TargetImage={"S3Object": both})
    assert said["SourceImageFace"]["BoundingBox"]["Left"] > 0.45
    assert len(said["FaceMatches"]) == 2
    similarities = [one["Similarity"] for one in said["FaceMatches"]]
    assert similarities == sorted(similarities, reverse=True)
    same = place.client.compare_faces(
        SourceImage={"Bytes": face}, TargetImage={"Bytes": face}, SimilarityThreshold=100
    )
    assert [round(one["Similarity"], 2) for one in same["FaceMatches"]] == [100]


def test_compare_needs_a_face_in_its_source(place: Place, face: bytes) -> None:
    given = {"SourceImage": {"Bytes": file(nobody())}, "TargetImage": {"Bytes": face}}
    assert code(place.client.compare_faces, **given) == "InvalidParameterException"


# Collections


def test_a_collection_is_made_told_of_listed_and_removed(place: Place) -> None:
    client, name = place.client, f"crime-conformance-{uuid.uuid4().hex}"
    made = client.create_collection(CollectionId=name, Tags={"project": "crime-conformance"})
    try:
        assert made["StatusCode"] == 200
        tags = client.list_tags_for_resource(ResourceArn=made["CollectionArn"])["Tags"]
        assert tags["project"] == "crime-conformance"
        assert made["CollectionArn"].endswith(f":collection/{name}")
        assert code(client.create_collection, CollectionId=name) == "ResourceAlreadyExistsException"
        told = client.describe_collection(CollectionId=name)
        assert told["FaceCount"] == 0
        assert told["FaceModelVersion"] == made["FaceModelVersion"]
        assert told["CollectionARN"] == made["CollectionArn"]
        pages = client.get_paginator("list_collections").paginate(PaginationConfig={"PageSize": 1})
        listed: dict[str, str] = {}
        for page in pages:
            listed |= dict(zip(page["CollectionIds"], page["FaceModelVersions"], strict=True))
        assert listed[name] == made["FaceModelVersion"]
    finally:
        assert client.delete_collection(CollectionId=name)["StatusCode"] == 200
    assert code(client.delete_collection, CollectionId=name) == "ResourceNotFoundException"
    asked = client.list_tags_for_resource
    assert code(asked, ResourceArn=made["CollectionArn"]) == "ResourceNotFoundException"
    assert code(asked, ResourceArn="arn:aws:s3:::no-collection") in INVALID


def test_what_is_asked_of_no_collection_is_not_found(place: Place, face: bytes) -> None:
    client, gone = place.client, f"crime-conformance-{uuid.uuid4().hex}"
    some = str(uuid.uuid4())
    for call, given in (
        (client.describe_collection, {}),
        (client.list_faces, {}),
        (client.index_faces, {"Image": {"Bytes": face}}),
        (client.delete_faces, {"FaceIds": [some]}),
        (client.search_faces, {"FaceId": some}),
        (client.search_faces_by_image, {"Image": {"Bytes": face}}),
    ):
        assert code(call, CollectionId=gone, **given) == "ResourceNotFoundException"


def test_a_page_that_can_not_be_is_refused(place: Place, collection: str) -> None:
    client, wrong = place.client, "InvalidPaginationTokenException"
    assert code(client.list_collections, NextToken="bm8gcGFnZQ==") == wrong
    assert code(client.list_faces, CollectionId=collection, NextToken="bm8gcGFnZQ==") == wrong


def test_names_and_numbers_outside_the_model_are_refused(place: Place, collection: str, face: bytes) -> None:
    client, image = place.client, {"Bytes": face}
    assert code(client.create_collection, CollectionId="a b") in INVALID
    assert code(client.list_collections, MaxResults=5000) in INVALID
    given = {"CollectionId": collection, "Image": image}
    assert code(client.index_faces, ExternalImageId="a b", **given) in INVALID
    assert code(client.index_faces, MaxFaces=0, **given) in INVALID
    assert code(client.search_faces_by_image, FaceMatchThreshold=101.0, **given) in INVALID
    assert code(client.search_faces_by_image, MaxFaces=4097, **given) in INVALID
    assert code(client.search_faces_by_image, QualityFilter="BEST", **given) in INVALID
    assert (
        code(client.compare_faces, SourceImage=image, TargetImage=image, SimilarityThreshold=-1.0) in INVALID
    )


# IndexFaces, ListFaces, DeleteFaces


def test_a_face_is_indexed_from_s3_and_the_same_picture_twice_is_one_face(
    place: Place, collection: str, face: bytes
) -> None:
    # https://docs.aws.amazon.com/rekognition/latest/APIReference/API_IndexFaces.html: the same picture under
    # the same ExternalImageId is not kept twice
    given = {"CollectionId": collection, "Image": {"S3Object": place.put(face)}, "ExternalImageId": "mp:1"}
    first, again = place.client.index_faces(**given), place.client.index_faces(**given)
    (record,) = first["FaceRecords"]
    assert record["Face"]["ExternalImageId"] == "mp:1"
    assert record["Face"]["BoundingBox"] == record["FaceDetail"]["BoundingBox"]
    assert again["FaceRecords"][0]["Face"]["FaceId"] == record["Face"]["FaceId"]
    assert place.client.describe_collection(CollectionId=collection)["FaceCount"] == 1


def test_of_several_faces_the_largest_are_kept(place: Place, collection: str) -> None:
    said = place.client.index_faces(
        CollectionId=collection, Image={"Bytes": file(two())}, MaxFaces=1, QualityFilter="NONE"
    )
    (kept,), (left,) = said["FaceRecords"], said["UnindexedFaces"]
    assert kept["Face"]["BoundingBox"]["Width"] > left["FaceDetail"]["BoundingBox"]["Width"]
    assert left["Reasons"] == ["EXCEEDS_MAX_FACES"]


def test_a_poor_face_is_left_out_by_the_filter_and_kept_without(place: Place, collection: str) -> None:
    small = head().resize((120, 120), Image.Resampling.LANCZOS).filter(ImageFilter.GaussianBlur(1.5))
    poor = {"CollectionId": collection, "Image": {"Bytes": file(ImageEnhance.Brightness(small).enhance(0.3))}}
    strict = place.client.index_faces(QualityFilter="HIGH", **poor)
    assert strict["FaceRecords"] == []
    assert strict["UnindexedFaces"]
    for one in strict["UnindexedFaces"]:
        assert one["Reasons"]
        assert set(one["Reasons"]) <= REASONS
    assert len(place.client.index_faces(QualityFilter="NONE", **poor)["FaceRecords"]) == 1


def test_nobody_is_nothing_to_index(place: Place, collection: str) -> None:
    said = place.client.index_faces(CollectionId=collection, Image={"Bytes": file(nobody())})
    assert (said["FaceRecords"], said["UnindexedFaces"]) == ([], [])


def test_faces_are_listed_in_pages_and_deleted(place: Place, collection: str) -> None:
    client, ids = place.client, set()
    for external, picture in (("a", head()), ("b", ImageOps.mirror(head())), ("c", head().convert("L"))):
        given = {"CollectionId": collection, "ExternalImageId": external, "Image": {"Bytes": file(picture)}}
        ids.add(client.index_faces(**given)["FaceRecords"][0]["Face"]["FaceId"])
    first = client.list_faces(CollectionId=collection, MaxResults=2)
    second = client.list_faces(CollectionId=collection, MaxResults=2, NextToken=first["NextToken"])
    assert {one["FaceId"] for one in first["Faces"] + second["Faces"]} == ids
    assert {one["ExternalImageId"] for one in first["Faces"] + second["Faces"]} == {"a", "b", "c"}
    gone, missing = ids.pop(), str(uuid.uuid4())
    said = client.delete_faces(CollectionId=collection, FaceIds=[gone, missing])
    assert said["DeletedFaces"] == [gone]
    assert [one["Reasons"] for one in said["UnsuccessfulFaceDeletions"]] == [["FACE_NOT_FOUND"]]
    assert {one["FaceId"] for one in client.list_faces(CollectionId=collection)["Faces"]} == ids
    assert client.describe_collection(CollectionId=collection)["FaceCount"] == 2


# SearchFaces, SearchFacesByImage


def test_a_picture_finds_who_is_in_it(place: Place, watch: tuple[str, str, str], face: bytes) -> None:
    name, one, other = watch
    given = {"CollectionId": name, "FaceMatchThreshold": 99.0, "Image": {"S3Object": place.put(face)}}
    said = place.client.search_faces_by_image(**given)
    assert {match["Face"]["FaceId"] for match in said["FaceMatches"]} == {one, other}
    assert said["FaceMatches"][0]["Face"]["FaceId"] == one
    assert said["FaceMatches"][0]["Face"]["ExternalImageId"] == "mp:1"
    assert all(match["Similarity"] >= 99 for match in said["FaceMatches"])
    few = place.client.search_faces_by_image(MaxFaces=1, **given)["FaceMatches"]
    assert [match["Face"]["FaceId"] for match in few] == [one]


def test_a_search_looks_at_the_largest_face_only(place: Place, watch: tuple[str, str, str]) -> None:
    said = place.client.search_faces_by_image(CollectionId=watch[0], Image={"Bytes": file(two())})
    assert said["SearchedFaceBoundingBox"]["Left"] > 0.45
    assert said["SearchedFaceConfidence"] > 90
    assert said["FaceMatches"]


def test_a_face_finds_its_like_and_not_itself(place: Place, watch: tuple[str, str, str]) -> None:
    name, one, other = watch
    said = place.client.search_faces(CollectionId=name, FaceId=one, FaceMatchThreshold=99)
    assert said["SearchedFaceId"] == one
    assert [match["Face"]["FaceId"] for match in said["FaceMatches"]] == [other]
    assert code(place.client.search_faces, CollectionId=name, FaceId=str(uuid.uuid4())) == (
        "InvalidParameterException"
    )


def test_a_search_needs_a_face_and_finds_nothing_where_nothing_is(
    place: Place, collection: str, face: bytes
) -> None:
    search = place.client.search_faces_by_image
    with pytest.raises(ClientError, match="There are no faces in the image") as caught:
        search(CollectionId=collection, Image={"Bytes": file(nobody())})
    assert caught.value.response["Error"]["Code"] == "InvalidParameterException"
    assert search(CollectionId=collection, Image={"Bytes": face})["FaceMatches"] == []


# Pictures that are refused


def wide() -> bytes:
    """A PNG of 10,001 by 100 pixels."""
    return file(Image.new("L", (10_001, 100)), "PNG")


def bomb() -> bytes:
    """A PNG of less than a kilobyte that says to have 2³¹ - 1 pixels a side."""
    parts = b"\x89PNG\r\n\x1a\n"
    header = struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 2, 0, 0, 0)
    for kind, content in ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(999))), (b"IEND", b"")):
        parts += struct.pack(">I", len(content)) + kind + content
        parts += struct.pack(">I", zlib.crc32(kind + content))
    return parts


@pytest.mark.parametrize(
    ("content", "codes"),
    [
        pytest.param(lambda: b"<!doctype html><p>no picture", {"InvalidImageFormatException"}, id="html"),
        pytest.param(lambda: file(head(), "GIF"), {"InvalidImageFormatException"}, id="gif"),
        pytest.param(lambda: b"\xff\xd8\xff" + bytes(99), {"InvalidImageFormatException"}, id="broken"),
        pytest.param(wide, {"ImageTooLargeException", *INVALID}, id="wide"),
        pytest.param(bomb, {"ImageTooLargeException", "InvalidImageFormatException", *INVALID}, id="bomb"),
        pytest.param(
            lambda: file(head().resize((79, 79))), {"InvalidParameterException"}, id="under 80 pixels"
        ),
    ],
)
def test_a_picture_that_is_none_is_refused_from_a_request_and_from_s3(
    place: Place, content: Any, codes: set[str]
) -> None:
    detect, made = place.client.detect_faces, content()
    assert code(detect, Image={"Bytes": made}) in codes
    assert code(detect, Image={"S3Object": place.put(made)}) in codes


def test_files_beyond_the_quotas_are_refused(place: Place, face: bytes) -> None:
    # https://docs.aws.amazon.com/rekognition/latest/dg/limits.html: 5 MB in a request, 15 MB in S3
    detect = place.client.detect_faces
    assert code(detect, Image={"Bytes": face + bytes(5 * 1024**2)}) in {"ImageTooLargeException", *INVALID}
    assert len(detect(Image={"S3Object": place.put(face + bytes(6 * 1024**2))})["FaceDetails"]) == 1
    assert code(detect, Image={"S3Object": place.put(face + bytes(15 * 1024**2))}) == "ImageTooLargeException"


def test_pictures_that_can_not_be_had_are_refused(place: Place, face: bytes) -> None:
    detect, key = place.client.detect_faces, f"crime-conformance/{uuid.uuid4().hex}"
    missing = {"Bucket": place.bucket, "Name": key}
    nowhere = {"Bucket": f"crime-conformance-{uuid.uuid4().hex}", "Name": key}
    assert code(detect, Image={"S3Object": missing}) == "InvalidS3ObjectException"
    assert code(detect, Image={"S3Object": nowhere}) == "InvalidS3ObjectException"
    assert code(detect, Image={}) == "InvalidParameterException"
    assert code(detect, Image={"Bytes": face, "S3Object": missing}) == "InvalidParameterException"
    assert code(detect, Image={"Bytes": b""}) in INVALID
    assert code(detect, Image={"S3Object": place.put(b"")}) in {
        "InvalidImageFormatException",
        "InvalidS3ObjectException",
        *INVALID,
    }
