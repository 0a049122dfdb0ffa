"""What compares faces: Rekognition's API, whoever answers it. Nothing here says which picture it is about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from crime_jobs.errors import AwsRefused, WrongUsage
from crime_jobs.faces._answers import (
    HEADER,
    Compared,
    Enrolled,
    Identity,
    Indexed,
    Picture,
    S3Place,
    Searched,
    UnfitPicture,
    box_of,
    external_id,
    identified,
    person_of,
    searched,
    seen_of,
)
from crime_jobs.faces._calls import IN_S3, INLINE, UNREACHED, Calls, error_code, image_of
from crime_jobs.model.faces import Seen

__all__ = [
    "HEADER",
    "INLINE",
    "IN_S3",
    "Compared",
    "Engine",
    "Enrolled",
    "Identity",
    "Indexed",
    "Picture",
    "S3Place",
    "Searched",
    "UnfitPicture",
    "external_id",
    "identified",
    "person_of",
]

#: Most faces that one call removes (https://docs.aws.amazon.com/rekognition/latest/APIReference/API_DeleteFaces.html).
_AT_ONCE = 4096


class Engine(Calls):
    """What compares faces; threads may share it. See `crime_jobs.faces._calls.Calls` for its parameters."""

    def identity(self, collection: str | None = None) -> Identity:
        """Ask who answers.

        Parameters
        ----------
        collection
            A collection, whose version of embeddings is meant; it need not be there.

        Returns
        -------
        Identity

        Raises
        ------
        WrongUsage
            If the settings say ``on-premises``, and something else answers, or the other way round.
        AwsRefused
            If nothing answers, or it refuses.
        """
        if (aws_itself := identified({}, self.host, "")).name == "rekognition":
            self._check_setting(aws_itself)  # before a key that is none of AWS's is used there
        version = ""
        try:
            if collection is None:
                said = self._call(
                    "list_collections", "Asking the engine who it is", unreached=UNREACHED, MaxResults=1
                )
            else:
                said = self._call(
                    "describe_collection",
                    "Asking the engine who it is",
                    unreached=UNREACHED,
                    CollectionId=collection,
                )
                version = str(said.get("FaceModelVersion") or "")
            headers = said["ResponseMetadata"]["HTTPHeaders"]
        except AwsRefused as error:
            if error_code(error) != "ResourceNotFoundException":
                raise
            cause: Any = error.__cause__
            headers = cause.response["ResponseMetadata"]["HTTPHeaders"]
        found = identified(headers, self.host, version)
        self._check_setting(found)
        return found

    def _check_setting(self, found: Identity) -> None:
        if self._faces.engine == "on-premises" and not found.on_premises:
            raise WrongUsage(
                f"The settings say that the engine is on-premises, but at {self.host} answers "
                f"{found.name}: no picture was sent.",
                hint="Set AWS_ENDPOINT_URL_REKOGNITION to the address of the engine of your own.",
            )
        if self._faces.engine == "rekognition" and found.on_premises:
            raise WrongUsage(
                f"The settings say that the engine is rekognition, but at {self.host} answers {found.name}.",
                hint='Write engine = "on-premises" into the environment\'s faces table in crime-jobs.toml, '
                "or unset AWS_ENDPOINT_URL_REKOGNITION.",
            )

    def detect(self, image: Picture) -> list[Seen]:
        """Find the faces of a picture.

        Parameters
        ----------
        image
            Its bytes (JPEG or PNG, at most `INLINE`), or where it is in S3.

        Returns
        -------
        list of Seen

        Raises
        ------
        UnfitPicture
            If it can't be looked at.
        AwsRefused
            If the engine refuses otherwise.
        """
        said = self._look("detect_faces", "Finding faces", Image=image_of(image))
        return [seen_of(detail) for detail in said["FaceDetails"]]

    def search(self, collection: str, image: bytes, threshold: float, most: int = 5) -> Searched:
        """Find enrolled faces that are like the largest face of a picture.

        Parameters
        ----------
        collection
            Where.
        image
            A picture, at most `INLINE`: a face with some of what is around it.
        threshold
            Least similarity in per cent.
        most
            How many at most.

        Returns
        -------
        Searched
            The most alike first; nobody if nobody is, or there is no face in it. Faces that were not
            enrolled by this library are left out.

        Raises
        ------
        UnfitPicture, AwsRefused
            As `detect`.
        """
        try:
            said = self._look(
                "search_faces_by_image",
                "Searching for a face",
                CollectionId=collection,
                Image=image_of(image),
                FaceMatchThreshold=threshold,
                MaxFaces=most,
                QualityFilter="NONE",
            )
        except UnfitPicture as error:
            # The one refusal that says so of a picture that is whole: "There are no faces in the image."
            if error.code == "InvalidParameterException" and "no faces" in str(error.__cause__):
                return Searched(None)
            raise
        return searched(said)

    def index(
        self, collection: str, image: Picture, external: str, *, most: int = 1, quality: str = "AUTO"
    ) -> Indexed:
        """Keep the largest face of a picture in a collection.

        Doing it twice with the same picture and the same id keeps one face
        (https://docs.aws.amazon.com/rekognition/latest/APIReference/API_IndexFaces.html).

        Parameters
        ----------
        collection
            Where.
        image
            As for `detect`.
        external
            What the face is known by; see `external_id`.
        most
            How many faces at most, the largest first.
        quality
            Rekognition's ``QualityFilter``.

        Returns
        -------
        Indexed

        Raises
        ------
        UnfitPicture, AwsRefused
            As `detect`.
        """
        said = self._look(
            "index_faces",
            "Enrolling a face",
            CollectionId=collection,
            Image=image_of(image),
            ExternalImageId=external,
            MaxFaces=most,
            QualityFilter=quality,
        )
        return Indexed(
            tuple((one["Face"]["FaceId"], seen_of(one["FaceDetail"])) for one in said["FaceRecords"]),
            tuple(reason for one in said.get("UnindexedFaces", ()) for reason in one["Reasons"]),
        )

    def compare(self, source: Picture, target: Picture, threshold: float) -> Compared:
        """Compare the largest face of a picture with all faces of another.

        Parameters
        ----------
        source, target
            As for `detect`.
        threshold
            Least similarity in per cent.

        Returns
        -------
        Compared

        Raises
        ------
        UnfitPicture, AwsRefused
            As `detect`; one of them has no face.
        """
        said = self._look(
            "compare_faces",
            "Comparing two pictures",
            SourceImage=image_of(source),
            TargetImage=image_of(target),
            SimilarityThreshold=threshold,
        )
        return Compared(
            box_of(said["SourceImageFace"]["BoundingBox"]),
            float(said["SourceImageFace"]["Confidence"]),
            tuple((float(one["Similarity"]), seen_of(one["Face"])) for one in said["FaceMatches"]),
            tuple(seen_of(one) for one in said.get("UnmatchedFaces", ())),
        )

    def faces(self, collection: str) -> Iterator[Enrolled]:
        """List the faces of a collection.

        Parameters
        ----------
        collection
            Which.

        Yields
        ------
        Enrolled
            Nothing if the collection is not there.
        """
        more: dict[str, Any] = {}
        while True:
            request = {"CollectionId": collection, "MaxResults": 1000, **more}
            try:
                said = self._call("list_faces", "Listing enrolled faces", **request)
            except AwsRefused as error:
                if error_code(error) != "ResourceNotFoundException":
                    raise
                return
            for one in said["Faces"]:
                yield Enrolled(one["FaceId"], one.get("ExternalImageId", ""))
            if not said.get("NextToken"):
                return
            more = {"NextToken": said["NextToken"]}

    def delete_faces(self, collection: str, ids: Sequence[str]) -> int:
        """Remove faces from a collection; those that are not there are passed over.

        Parameters
        ----------
        collection
            Where.
        ids
            The engine's ids.

        Returns
        -------
        int
            How many were there.

        Raises
        ------
        AwsRefused
            If the engine keeps one.
        """
        gone = 0
        for at in range(0, len(ids), _AT_ONCE):
            part = list(ids[at : at + _AT_ONCE])
            try:
                said = self._call("delete_faces", "Removing faces", CollectionId=collection, FaceIds=part)
            except AwsRefused as error:
                if error_code(error) != "ResourceNotFoundException":
                    raise
                return 0  # with the collection its faces went
            gone += len(said.get("DeletedFaces", ()))
            _check_removed(said)
        return gone

    def ensure_collection(self, collection: str, tags: Mapping[str, str] | None = None) -> str:
        """Make a collection if it is not there.

        Parameters
        ----------
        collection
            Its id.
        tags
            Its tags, if it is made.

        Returns
        -------
        str
            Version of its embeddings.
        """
        try:
            said = self._call(
                "create_collection", "Making a collection", CollectionId=collection, Tags=dict(tags or {})
            )
        except AwsRefused as error:
            if error_code(error) != "ResourceAlreadyExistsException":
                raise
            said = self._call("describe_collection", "Looking at a collection", CollectionId=collection)
        return str(said.get("FaceModelVersion") or "")

    def delete_collection(self, collection: str) -> None:
        """Remove a collection and its faces, if it is there.

        Parameters
        ----------
        collection
            Its id.
        """
        try:
            self._call("delete_collection", "Removing a collection", CollectionId=collection)
        except AwsRefused as error:
            if error_code(error) != "ResourceNotFoundException":
                raise


def _check_removed(said: Mapping[str, Any]) -> None:
    kept = [one.get("Reasons", ()) for one in said.get("UnsuccessfulFaceDeletions", ())]
    why = sorted({reason for reasons in kept for reason in reasons} - {"FACE_NOT_FOUND"})
    if why:
        count = sum(bool(set(reasons) & set(why)) for reasons in kept)
        raise AwsRefused(
            f"Removing faces: {count} of them stay: {', '.join(why)}.",
            hint="If it belongs to a user of Rekognition: `aws rekognition disassociate-faces`, then again.",
        )
