"""Make what schedules need, as src/crime_jobs/cloud/schedules.yaml makes it on AWS. Idempotent."""

import json
import os

import boto3

#: Roles, and who takes them: those of schedules, and the one that steps and job runs have.
ROLES = {
    "crime-jobs-scheduler": "scheduler",
    "crime-jobs-machine": "states",
    "crime-jobs-runtime": "emr-serverless",
}

PLACE = {
    "endpoint_url": os.environ.get("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"),
    "region_name": "us-east-1",
    "aws_access_key_id": "test",
    "aws_secret_access_key": "test",
}

boto3.client("sqs", **PLACE).create_queue(QueueName="crime-jobs-dead-letters")
boto3.client("sns", **PLACE).create_topic(Name="crime-jobs-ends")
iam = boto3.client("iam", **PLACE)
there = {role["RoleName"] for role in iam.list_roles()["Roles"]}
for name, service in ROLES.items():
    allow = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": f"{service}.amazonaws.com"},
    }
    if name not in there:
        document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)
