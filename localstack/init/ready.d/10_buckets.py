"""Make the buckets: run by LocalStack in its container, by `make up` elsewhere. Idempotent."""

import os

import boto3

BUCKETS = ("crime-landing", "crime-lake", "crime-logs", "crime-artifacts")

s3 = boto3.client(
    "s3",
    endpoint_url=os.environ.get("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"),
    region_name="us-east-1",
    aws_access_key_id="test",
    aws_secret_access_key="test",  # noqa: S106 - LocalStack takes any
)
for bucket in BUCKETS:
    s3.create_bucket(Bucket=bucket)  # in us-east-1, making one's own bucket again succeeds
