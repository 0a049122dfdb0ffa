"""Rekognition's operations on faces and collections."""

from __future__ import annotations

import base64
import binascii
import logging
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from crime_engines.control import Control
from crime_engines.faces.pictures import Unfit
from crime_engines.faces.pool import Broken, Busy, Pool
from crime_engines.faces.seen import MODEL, Seen, Wanted, similarity
from crime_engines.protocol import Call, Handler, Refusal, ServiceModel
from crime_engines.rekognition import answers, images, words
from crime_engines.rekognition.store import Collection, Store, name_in

log = logging.getLogger("crime_engines")

#: Least similarity where none is given.
THRESHOLD = 80.0

#: What each answer says of who gives it, engine and version: so a job can tell that no picture went to AWS.
IDENTITY = {"x-crime-jobs-engine": f"dlib/{MODEL}"}

#: Entries of a page, and matches of a search, where no number is given; and at most.
PAGE, MOST = 1000, 4096

#: Places of faces that SQLite can number.
_PLACES = 2**63


class Place(Protocol):
    """Where the service runs; a node is one."""

    @property
    def state(self) -> Path:
        """Folder of what is kept."""

    @property
    def storage(self) -> Any:
        """S3, which has the pictures."""


class Rekognition:
    """The service.

    Parameters
    ----------
    node
        Where it runs.
    control
        Faults to order.
    pool
        What looks at pictures; one of its own if not given.
    """

    def __init__(self, node: Place, control: Control, pool: Pool | None = None) -> None:
        del control  # faults are answered before a handler is asked
        self.model = ServiceModel("rekognition", IDENTITY)
        self._storage = node.storage
        self._store = Store(node.state / "rekognition")
        self._pool = pool or Pool()
        handlers: dict[str, Handler] = {
            "DetectFaces": self.detect_faces,
            "CompareFaces": self.compare_faces,
            "CreateCollection": self.create_collection,
            "DescribeCollection": self.describe_collection,
            "ListCollections": self.list_collections,
            "DeleteCollection": self.delete_collection,
            "IndexFaces": self.index_faces,
            "ListFaces": self.list_faces,
            "ListTagsForResource": self.list_tags,
            "DeleteFaces": self.delete_faces,
            "SearchFaces": self.search_faces,
            "SearchFacesByImage": self.search_faces_by_image,
        }
        self.handlers: Mapping[str, Handler] = {name: _guarded(do) for name, do in handlers.items()}

    def detect_faces(self, call: Call) -> dict[str, Any]:
        """Tell of the faces in a picture, the largest first."""
        answers.check_attributes(call.params.get("Attributes", []))
        faces = self._look(self._content(call.params["Image"]), "none")
        return {"FaceDetails": [answers.detail(seen) for seen in faces]}

    def compare_faces(self, call: Call) -> dict[str, Any]:
        """Compare the largest face of a picture with all of another."""
        params = call.params
        bar, threshold = params.get("QualityFilter", "NONE"), params.get("SimilarityThreshold", THRESHOLD)
        source, target = self._content(params["SourceImage"]), self._content(params["TargetImage"])
        face = _largest(self._look(source, "largest"), bar)
        others = [seen for seen in self._look(target, "all") if not answers.reasons(seen, bar)]
        if not others:
            raise words.invalid_parameters()
        asked = np.array(face.embedding)
        alike = [(similarity(float(np.linalg.norm(asked - np.array(o.embedding)))), o) for o in others]
        alike.sort(key=lambda one: -one[0])
        return {
            "SourceImageFace": {"BoundingBox": answers.box(face), "Confidence": face.confidence},
            "FaceMatches": [
                {"Similarity": value, "Face": answers.detail(seen)}
                for value, seen in alike
                if value >= threshold
            ],
            "UnmatchedFaces": [answers.detail(seen) for value, seen in alike if value < threshold],
        }

    def create_collection(self, call: Call) -> dict[str, Any]:
        """Make a collection."""
        made = self._store.create(call.region, call.params["CollectionId"], call.params.get("Tags", {}))
        return {"StatusCode": 200, "CollectionArn": made.arn, "FaceModelVersion": made.model}

    def describe_collection(self, call: Call) -> dict[str, Any]:
        """Tell of a collection."""
        found = self._collection(call)
        return {
            "FaceCount": self._store.count(found),
            "FaceModelVersion": found.model,
            "CollectionARN": found.arn,
            "CreationTimestamp": found.created,
            "UserCount": 0,
        }

    def list_collections(self, call: Call) -> dict[str, Any]:
        """List the collections by name."""
        most = call.params.get("MaxResults") or PAGE
        after = _after(call.params.get("NextToken"), "collections")
        found = self._store.collections(call.region, after, most + 1, call.within)
        return {
            "CollectionIds": [one.name for one in found[:most]],
            "FaceModelVersions": [one.model for one in found[:most]],
            "NextToken": _token("collections", found[most - 1].name) if len(found) > most else None,
        }

    def list_tags(self, call: Call) -> dict[str, Any]:
        """Tell what a collection was tagged with when it was made."""
        name = name_in(call.params["ResourceArn"], call.region)
        if not name:
            raise words.invalid_parameters()
        return {"Tags": dict(self._store.collection(call.region, name).tags)}

    def delete_collection(self, call: Call) -> dict[str, Any]:
        """Remove a collection and its faces."""
        self._store.delete(self._collection(call))
        return {"StatusCode": 200}

    def index_faces(self, call: Call) -> dict[str, Any]:
        """Keep the faces of a picture that are good enough, the largest first."""
        params = call.params
        answers.check_attributes(params.get("DetectionAttributes", []))
        collection = self._collection(call)
        content = self._content(params["Image"])
        taken, left = _chosen(
            self._look(content, "all"), params.get("QualityFilter", "AUTO"), params.get("MaxFaces")
        )
        common: dict[str, Any] = {"ImageId": str(uuid.uuid4()), "IndexFacesModelVersion": MODEL}
        if name := params.get("ExternalImageId"):
            common["ExternalImageId"] = name
        faces = []
        for seen in taken:
            # As the service says of itself: the same picture under the same external id is not kept twice.
            mark = self._store.sealing.mark(content, (name or "").encode(), repr(seen.box).encode())
            told = {**common, "BoundingBox": answers.box(seen), "Confidence": seen.confidence}
            faces.append((mark, told, seen.embedding))
        kept = self._store.add(collection, faces)
        return {
            "FaceRecords": [
                {"Face": face, "FaceDetail": answers.detail(seen)}
                for face, seen in zip(kept, taken, strict=True)
            ],
            "FaceModelVersion": collection.model,
            "UnindexedFaces": [
                {"Reasons": reasons, "FaceDetail": answers.detail(seen)} for seen, reasons in left
            ],
        }

    def list_faces(self, call: Call) -> dict[str, Any]:
        """List the faces of a collection in the order in which they came."""
        params = call.params
        if "UserId" in params:
            raise words.invalid_parameters("This engine has no users.")
        collection = self._collection(call)
        if "FaceIds" in params:
            found = [self._store.face(collection, name) for name in params["FaceIds"]]
            faces = [face for face in found if face is not None]
            return {"Faces": faces, "FaceModelVersion": collection.model}
        most = params.get("MaxResults") or PAGE
        kind = f"faces/{collection.number}"
        try:
            after = int(_after(params.get("NextToken"), kind) or "0")
        except ValueError as error:
            raise words.bad_token() from error
        if not 0 <= after < _PLACES:
            raise words.bad_token()
        page = self._store.page(collection, after, most + 1)
        return {
            "Faces": [face for _, face in page[:most]],
            "NextToken": _token(kind, str(page[most - 1][0])) if len(page) > most else None,
            "FaceModelVersion": collection.model,
        }

    def delete_faces(self, call: Call) -> dict[str, Any]:
        """Remove faces; those that are not there are told."""
        collection, names = self._collection(call), list(dict.fromkeys(call.params["FaceIds"]))
        gone = {name for name in names if self._store.remove(collection, name)}
        return {
            "DeletedFaces": [name for name in names if name in gone] or None,  # by its model never empty
            "UnsuccessfulFaceDeletions": [
                {"FaceId": name, "Reasons": ["FACE_NOT_FOUND"]} for name in names if name not in gone
            ],
        }

    def search_faces(self, call: Call) -> dict[str, Any]:
        """Find the faces that are like one of the collection, without itself."""
        collection, name = self._collection(call), call.params["FaceId"]
        with self._store.lock:
            gallery = self._store.gallery(collection)
            if name not in gallery:
                raise words.invalid_parameters("faceId was not found in the collection.")
            matches = self._matches(call, collection, gallery.embedding(name), name)
        return {"SearchedFaceId": name, "FaceMatches": matches, "FaceModelVersion": collection.model}

    def search_faces_by_image(self, call: Call) -> dict[str, Any]:
        """Find the faces that are like the largest one of a picture."""
        collection = self._collection(call)
        faces = self._look(self._content(call.params["Image"]), "largest")
        face = _largest(faces, call.params.get("QualityFilter", "NONE"))
        return {
            "SearchedFaceBoundingBox": answers.box(face),
            "SearchedFaceConfidence": face.confidence,
            "FaceMatches": self._matches(call, collection, face.embedding),
            "FaceModelVersion": collection.model,
        }

    def close(self) -> None:
        """End what looks at pictures, close the collections."""
        self._pool.close()
        self._store.close()

    def _collection(self, call: Call) -> Collection:
        return self._store.collection(call.region, call.params["CollectionId"])

    def _content(self, image: Mapping[str, Any]) -> bytes:
        return images.content_of(image, self._storage)

    def _look(self, content: bytes, wanted: Wanted) -> list[Seen]:
        try:
            return self._pool.look(content, wanted)
        except Unfit as error:
            raise images.refused(error) from error
        except Busy as error:
            raise words.busy() from error
        except Broken as error:
            log.warning("a picture could not be looked at: %s", error)
            raise words.broken() from error

    def _matches(
        self, call: Call, collection: Collection, embedding: Any, without: str | None = None
    ) -> list[dict[str, Any]]:
        threshold = call.params.get("FaceMatchThreshold", THRESHOLD)
        most = call.params.get("MaxFaces", MOST)
        with self._store.lock:
            found = self._store.gallery(collection).search(embedding, threshold, most, without)
            return [
                {"Similarity": alike, "Face": self._store.face(collection, name)} for name, alike in found
            ]


def _guarded(do: Handler) -> Handler:
    """Let a defect be logged as its type alone: a message or traceback might tell of a picture."""

    def handler(call: Call) -> dict[str, Any] | None:
        try:
            return do(call)
        except Refusal:
            raise
        except Exception as error:
            log.error("%s broke: %s", call.operation, type(error).__name__)  # noqa: TRY400
            raise words.broken() from error

    return handler


def _largest(faces: list[Seen], bar: str) -> Seen:
    if not faces or answers.reasons(faces[0], bar):
        raise words.no_faces()
    return faces[0]


def _chosen(faces: list[Seen], bar: str, most: int | None) -> tuple[list[Seen], list[tuple[Seen, list[str]]]]:
    """Part the faces to keep from the others, each with its reasons."""
    taken: list[Seen] = []
    left: list[tuple[Seen, list[str]]] = []
    for seen in faces:
        reasons = answers.reasons(seen, bar)
        if most is not None and len(taken) >= most:
            reasons = ["EXCEEDS_MAX_FACES", *reasons]
        if reasons:
            left.append((seen, reasons))
        else:
            taken.append(seen)
    return taken, left


def _token(kind: str, last: str) -> str:
    return base64.urlsafe_b64encode(f"{kind}\0{last}".encode()).decode()


def _after(token: str | None, kind: str) -> str:
    """Return the entry that a page comes after; nothing for the first page."""
    if token is None:
        return ""
    try:
        of, _, last = base64.b64decode(token, altchars=b"-_", validate=True).decode().partition("\0")
    except (binascii.Error, ValueError) as error:
        raise words.bad_token() from error
    if of != kind or not last:
        raise words.bad_token()
    return last
