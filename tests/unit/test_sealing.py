"""Sealing where KMS refuses: what KMS said is what one hears of, not what the SDK makes of it."""

from __future__ import annotations

import boto3
import pytest
from botocore.stub import Stubber

from crime_jobs import aws, sealing, settings
from crime_jobs.errors import AwsRefused

ARN = "arn:aws:kms:us-east-1:000000000000:key/11111111-2222-3333-4444-555555555555"


@pytest.mark.parametrize(
    ("code", "repeated"), [("ThrottlingException", True), ("AccessDeniedException", False)]
)
def test_what_kms_refused_with_is_told(monkeypatch: pytest.MonkeyPatch, code: str, repeated: bool) -> None:
    kms = boto3.client("kms", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    stub = Stubber(kms)
    stub.add_response("describe_key", {"KeyMetadata": {"KeyId": ARN[-36:], "Arn": ARN}})
    stub.add_client_error("generate_data_key", code)
    stub.activate()
    monkeypatch.setattr(aws, "client", lambda *_: kms)
    sealer = sealing.Sealer(settings.load("local", {"region": "us-east-1"}), "alias/x")
    with pytest.raises(AwsRefused, match=code) as caught:
        sealer.seal("a FIR", b"content")
    assert aws.may_be_repeated(caught.value) is repeated
