"""What Rekognition answers on a bad day, ordered of the engine that stands for it: no job could wait for AWS's."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.localstack.conftest import Stack
from tests.photographs import file, head


@pytest.fixture
def order(stack: Stack) -> Iterator[Any]:
    """Order a fault of the engine; none is left behind."""
    url = f"{stack.env['AWS_ENDPOINT_URL_REKOGNITION']}/_engines/faults"

    def ask(method: str, given: dict[str, Any] | None = None) -> Any:
        body = json.dumps(given).encode() if given else None
        asked = urllib.request.Request(url, body, method=method)  # noqa: S310 - http it is
        with urllib.request.urlopen(asked, timeout=10) as said:  # noqa: S310
            return json.load(said)

    yield lambda **given: ask("POST", {"service": "rekognition", **given})
    ask("DELETE")


def client(stack: Stack, attempts: int) -> Any:
    return boto3.client(
        "rekognition",
        endpoint_url=stack.env["AWS_ENDPOINT_URL_REKOGNITION"],
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": attempts, "mode": "standard"}, proxies={}),
    )


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ThrottlingException", 400),
        ("ProvisionedThroughputExceededException", 400),
        ("AccessDeniedException", 400),
        ("InternalServerError", 500),
    ],
)
def test_a_bad_answer_is_one_of_the_service_and_the_next_is_good(
    stack: Stack, order: Any, code: str, status: int
) -> None:
    plain, image = client(stack, 1), {"Bytes": file(head())}
    order(operation="DetectFaces", code=code, status=status, times=1, after=1)
    assert len(plain.detect_faces(Image=image)["FaceDetails"]) == 1
    with pytest.raises(ClientError) as caught:
        plain.detect_faces(Image=image)
    assert caught.value.response["Error"]["Code"] == code
    assert isinstance(caught.value, getattr(plain.exceptions, code))
    assert caught.value.response["ResponseMetadata"]["HTTPHeaders"]["x-crime-jobs-engine"]
    assert len(plain.detect_faces(Image=image)["FaceDetails"]) == 1


@pytest.mark.parametrize("code", ["ThrottlingException", "ProvisionedThroughputExceededException"])
def test_boto3_itself_asks_again_when_told_to_slow_down(stack: Stack, order: Any, code: str) -> None:
    order(operation="ListCollections", code=code, times=1)
    said = client(stack, 3).list_collections()
    assert said["ResponseMetadata"]["RetryAttempts"] == 1


def test_a_refusal_is_not_asked_for_again(stack: Stack, order: Any) -> None:
    order(operation="ListCollections", code="AccessDeniedException")
    with pytest.raises(ClientError) as caught:
        client(stack, 3).list_collections()
    assert caught.value.response["ResponseMetadata"]["RetryAttempts"] == 0
