"""What a user may get wrong is answered by a sentence, whichever of botocore's errors is behind it."""

from __future__ import annotations

import re

import pytest
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from crime_jobs import aws
from crime_jobs import settings as settings_module
from crime_jobs.cli import main
from crime_jobs.cli_parse import given
from crime_jobs.emr.runs import outcome_folder, outcome_in
from crime_jobs.emr.work import parse
from crime_jobs.errors import AwsRefused, WrongUsage


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of whoever runs the tests, and no AWS."""
    for name in (*settings_module.VARIABLES.values(), "CRIME_JOBS_ENV"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")


def test_a_region_that_can_t_be_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["steps", "--on", "x", "--region", "ap south 1"]) == 2
    assert "ap south 1" in capsys.readouterr().err


def test_an_endpoint_that_is_no_address(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_EMR", "localhost")
    assert main(["steps", "--on", "x", "--region", "ap-south-1"]) == 2
    assert "AWS_ENDPOINT_URL" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error",
    [
        ResponseParserError("<html>a proxy's page"),
        boto.PaginationError(message="token twice"),
        boto.InvalidConfigError(error_msg="credential_source"),
        boto.MetadataRetrievalError(error_msg="x"),
    ],
)
def test_no_error_of_botocore_is_a_traceback(error: Exception) -> None:
    def asked() -> None:
        with aws.refusals("Looking at j-1"):
            raise error

    with pytest.raises(AwsRefused, match="Looking at j-1"):
        asked()


@pytest.mark.parametrize("verb", [("package",), ("submit", "clean_ncrb", "--on", "x")])
def test_a_processor_that_is_not_known(verb: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*verb, "--architecture", "arm", "--dry-run", "--artifacts", "s3://bucket"]) == 2
    assert "arm64" in capsys.readouterr().err


def test_an_outcome_of_the_user_s_own_is_refused() -> None:
    for words in (["clean_ncrb", "--outcome", "s3://o/1"], ["clean_ncrb", "--outcome=s3://o/1"]):
        with pytest.raises(WrongUsage, match="--outcome"):
            parse(words, settings_module.load("local"), given)


def test_logs_that_are_not_in_s3_are_refused_before_a_run_is_sent() -> None:
    settings = settings_module.load("local", {"logs": "build/logs"}, environ={})
    with pytest.raises(WrongUsage, match=r"logs \(from option\) 'build/logs' is not an s3"):
        outcome_folder(settings, "3f9a2c1d77e0")


def test_the_outcome_of_steps_that_others_submitted() -> None:
    assert outcome_in(["entry.py", "clean_ncrb", "--outcome", "s3://o/1"]) == "s3://o/1"
    assert outcome_in(["their.py", "--outcome"]) is None
    assert outcome_in([]) is None


def test_what_an_endpoint_lets_in_with_is_not_told() -> None:
    error = boto.EndpointConnectionError(
        endpoint_url="https://asha:canary@faces.example:8443/bucket/name.jpg"
    )
    with pytest.raises(AwsRefused) as caught, aws.refusals("Looking"):
        raise error
    assert "https://faces.example:8443" in caught.value.message
    assert not re.search("canary|asha|name", str(caught.value))
