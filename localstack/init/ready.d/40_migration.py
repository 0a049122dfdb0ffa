"""Make what the migration off Oracle needs beside the database: its secret and its topic. Idempotent."""

import json
import os

import boto3
from botocore.exceptions import ClientError

SECRET, USER, PASSWORD = "crime-jobs/oracle", "CRIME", "legacy"
TOPIC = "crime-jobs-migration"

PLACE = {
    "endpoint_url": os.environ.get("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"),
    "region_name": "us-east-1",
    "aws_access_key_id": "test",
    "aws_secret_access_key": "test",
}

boto3.client("sns", **PLACE).create_topic(Name=TOPIC)
try:
    boto3.client("secretsmanager", **PLACE).create_secret(
        Name=SECRET, SecretString=json.dumps({"username": USER, "password": PASSWORD})
    )
except ClientError as error:
    if error.response["Error"]["Code"] != "ResourceExistsException":
        raise
