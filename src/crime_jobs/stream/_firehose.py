"""The delivery stream from the FIRs' stream to S3, for where CloudFormation does not make it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crime_jobs import aws
from crime_jobs.model.streams import StreamSettings

if TYPE_CHECKING:
    from crime_jobs.settings import Settings

#: Whichever comes first, as `cloud/firs.yaml` has it.
BUFFER = {"SizeInMBs": 64, "IntervalInSeconds": 300}


def name_of(stream: StreamSettings) -> str:
    """Return the name of the delivery stream; `cloud/firs.yaml` gives the same.

    Parameters
    ----------
    stream
        Names.
    """
    return f"{stream.name}-history"


def request(settings: Settings, stream: StreamSettings, role: str | None) -> dict[str, Any]:
    """Return what Firehose is asked for.

    Parameters
    ----------
    settings
        Region and profile.
    stream
        Names.
    role
        ARN of the role that Firehose takes; of `cloud/firs.yaml` when not given.
    """
    bucket, prefix = aws.split_uri(stream.history, "stream.history")
    with aws.refusals("Asking who this is"):
        who = aws.client("sts", settings).get_caller_identity()
    account, partition = who["Account"], who["Arn"].split(":")[1]
    region = aws.region(settings)
    role = role or f"arn:{partition}:iam::{account}:role/crime-jobs-fir-firehose"
    return {
        "DeliveryStreamName": name_of(stream),
        "DeliveryStreamType": "KinesisStreamAsSource",
        "KinesisStreamSourceConfiguration": {
            "KinesisStreamARN": f"arn:{partition}:kinesis:{region}:{account}:stream/{stream.name}",
            "RoleARN": role,
        },
        "ExtendedS3DestinationConfiguration": {
            "RoleARN": role,
            "BucketARN": f"arn:{partition}:s3:::{bucket}",
            "Prefix": f"{prefix}/",
            "ErrorOutputPrefix": f"{prefix}-undelivered/",
            "CompressionFormat": "GZIP",
            "BufferingHints": BUFFER,
        },
    }


def is_there(settings: Settings, stream: StreamSettings) -> bool:
    """Say whether there is a delivery stream of that name.

    Parameters
    ----------
    settings
        Region and profile.
    stream
        Names.
    """
    from botocore.exceptions import ClientError

    with aws.refusals(f"Looking for the delivery stream {name_of(stream)}"):
        try:
            aws.client("firehose", settings).describe_delivery_stream(DeliveryStreamName=name_of(stream))
        except ClientError as error:
            if aws.code_of(error) != "ResourceNotFoundException":
                raise
            return False
    return True


def make(settings: Settings, wanted: dict[str, Any]) -> None:
    """Make the delivery stream; it works when it says that it is active.

    Parameters
    ----------
    settings
        Region and profile.
    wanted
        As `request` says.
    """
    with aws.refusals(f"Making the delivery stream {wanted['DeliveryStreamName']}"):
        aws.client("firehose", settings).create_delivery_stream(**wanted)
