"""Put the shipped data into the landing. A file that is there already, unchanged, is left alone."""

import hashlib
import os
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

BUCKET, PREFIX = "crime-landing", "ncrb"
DATA = Path(os.environ.get("CRIME_JOBS_DATA", "/opt/crime-jobs/data"))

s3 = boto3.client(
    "s3",
    endpoint_url=os.environ.get("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"),
    region_name="us-east-1",
    aws_access_key_id="test",
    aws_secret_access_key="test",  # noqa: S106 - LocalStack takes any
)
files = [path for path in sorted(DATA.iterdir()) if path.suffix in {".csv", ".geojson"}]
if not files:
    raise SystemExit(f"There is no data in {DATA}.")
for path in files:
    body = path.read_bytes()
    key = f"{PREFIX}/{path.name}"
    try:
        there = s3.head_object(Bucket=BUCKET, Key=key)["ETag"].strip('"')
    except ClientError:
        there = None
    if there != hashlib.md5(body).hexdigest():  # noqa: S324 - an ETag is an MD5
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)
