"""Make the bucket that Athena's results go to; what is older than a week goes away, as on AWS. Idempotent."""

import os

import boto3

BUCKET = "crime-questions"

s3 = boto3.client(
    "s3",
    endpoint_url=os.environ.get("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"),
    region_name="us-east-1",
    aws_access_key_id="test",
    aws_secret_access_key="test",  # noqa: S106 - LocalStack takes any
)
s3.create_bucket(Bucket=BUCKET)  # in us-east-1, making one's own bucket again succeeds
s3.put_bucket_lifecycle_configuration(
    Bucket=BUCKET,
    LifecycleConfiguration={
        "Rules": [
            {
                "ID": "results",
                "Status": "Enabled",
                "Filter": {"Prefix": "results/"},
                "Expiration": {"Days": 7},
            }
        ]
    },
)
