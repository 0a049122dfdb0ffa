"""The application in the service, Managed Service for Apache Flink: updated, started, stopped, looked at."""

from __future__ import annotations

from typing import Any

from crime_jobs import aws
from crime_jobs.errors import AwsRefused
from crime_jobs.settings import Settings


class Application:
    """An application of the service, as `cloud/analytics.yaml` makes it.

    Parameters
    ----------
    settings
        Region and profile.
    name
        Its name.
    """

    def __init__(self, settings: Settings, name: str) -> None:
        self._name = name
        self._service = aws.client("kinesisanalyticsv2", settings)

    def status(self) -> dict[str, Any]:
        """Return how it is: status, version, code and runtime.

        Returns
        -------
        dict
            A row for people.
        """
        found = self._detail()
        described = found.get("ApplicationConfigurationDescription", {})
        code = described.get("ApplicationCodeConfigurationDescription", {}).get("CodeContentDescription", {})
        return {
            "application": found["ApplicationName"],
            "status": found["ApplicationStatus"],
            "version": found["ApplicationVersionId"],
            "runtime": found["RuntimeEnvironment"],
            "code": code.get("S3ApplicationCodeLocationDescription", {}).get("FileKey"),
        }

    def start(self) -> None:
        """Start it, from its newest snapshot if it has one.

        Raises
        ------
        AwsRefused
            If it can't be started now: it says in which state it is.
        """
        state = self._detail()["ApplicationStatus"]
        if state in {"RUNNING", "STARTING"}:
            return
        restore = {"ApplicationRestoreType": "RESTORE_FROM_LATEST_SNAPSHOT"}
        with aws.refusals(f"Starting {self._name}, which is {state}"):
            self._service.start_application(
                ApplicationName=self._name,
                RunConfiguration={"ApplicationRestoreConfiguration": restore},
            )

    def stop(self) -> None:
        """Stop it with a snapshot, from which the next start goes on."""
        with aws.refusals(f"Stopping {self._name}"):
            self._service.stop_application(ApplicationName=self._name)

    def update(self, uri: str) -> None:
        """Give it another zip.

        Parameters
        ----------
        uri
            Where `crime_jobs.stream.analytics.package.upload` put it: in the bucket that the template named.

        Raises
        ------
        AwsRefused
            If it is in another bucket, or AWS refuses.
        """
        found = self._detail()
        bucket, key = aws.split_uri(uri, "package")
        code = found["ApplicationConfigurationDescription"]["ApplicationCodeConfigurationDescription"]
        there = code["CodeContentDescription"]["S3ApplicationCodeLocationDescription"]
        if there["BucketARN"].rsplit(":", 1)[-1] != bucket:
            raise AwsRefused(
                f"{self._name} reads its code from {there['BucketARN']}, the package is in {bucket}.",
                hint="Give --artifacts the bucket that the stack was made with.",
            )
        if there["FileKey"] == key:
            return
        with aws.refusals(f"Updating {self._name}"):
            self._service.update_application(
                ApplicationName=self._name,
                CurrentApplicationVersionId=found["ApplicationVersionId"],
                ApplicationConfigurationUpdate={
                    "ApplicationCodeConfigurationUpdate": {
                        "CodeContentUpdate": {"S3ContentLocationUpdate": {"FileKeyUpdate": key}}
                    }
                },
            )

    def _detail(self) -> Any:
        with aws.refusals(f"Looking at {self._name}"):
            return self._service.describe_application(ApplicationName=self._name)["ApplicationDetail"]
