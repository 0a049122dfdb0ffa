"""The doctor, against answers of AWS as they come over the wire: what each means, and that none is made up."""

from __future__ import annotations

import io
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from crime_jobs.cli import main
from crime_jobs.cloud import doctor, doctor_buckets, doctor_checks, doctor_here, doctor_rows, doctor_stores
from crime_jobs.cloud.doctor import Finding, Said, State
from crime_jobs.errors import WrongUsage
from tests.unit.doctor_aws import (
    ACCOUNT,
    CANARY,
    HERE,
    Answer,
    Aws,
    examined,
    one,
    refused,
    settings,
    standing_in,
    text_of,
    who,
)


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Aws:
    return standing_in(monkeypatch, tmp_path)


@pytest.mark.parametrize(
    ("seconds", "state", "word"),
    [
        (0, State.OK, "within"),
        (-120, State.WARNING, "ahead"),
        (120, State.WARNING, "behind"),
        (900, State.FAILED, "behind"),
    ],
)
def test_the_clock(aws: Aws, seconds: int, state: State, word: str) -> None:
    aws.off = timedelta(seconds=seconds)
    said = one(examined("clock"))
    assert said.state is state
    assert word in text_of(said)


def test_who_is_not_let_in_is_told_once(aws: Aws) -> None:
    aws.answers["GetCallerIdentity"] = (
        403,
        "<R><Error><Code>ExpiredToken</Code><Message>m</Message></Error></R>",
    )
    found = examined("credentials", "tables", "streams")
    assert [(finding.check, finding.said.state) for finding in found] == [
        ("credentials", State.FAILED),
        ("tables", State.NOT_CHECKED),
        ("streams", State.NOT_CHECKED),
    ]
    assert "aws sso login" in found[0].said.do[0]
    assert set(aws.asked) == {"GetCallerIdentity"}


def test_the_wrong_account_fails(aws: Aws) -> None:
    said = one(examined("credentials", account="999999999999"))
    assert said.state is State.FAILED
    assert "999999999999" in text_of(said)
    assert ACCOUNT in text_of(said)
    aws.answers["GetCallerIdentity"] = (200, who(f"arn:aws:iam::{ACCOUNT}:root"))
    assert one(examined("credentials")).state is State.WARNING


def test_what_may_not_be_asked_or_does_not_answer_is_said_so(aws: Aws) -> None:
    aws.answers["DescribeTable"] = refused("AccessDeniedException")
    aws.answers["DescribeStreamSummary"] = (501, '{"__type": "InternalFailure", "message": "m"}')
    found = examined("tables", "streams")
    assert {finding.said.state for finding in found} == {State.NOT_CHECKED}
    assert "DescribeTable" in one(found, "fir_events").do[0]
    assert not doctor.has_failed(found)


def test_one_missing_part_fails_and_none_at_all_is_not_deployed(aws: Aws) -> None:
    assert {finding.said.state for finding in examined("tables")} == {State.NOT_CHECKED}
    sealed = {"Status": "ENABLED", "SSEType": "KMS"}
    table = {"TableStatus": "ACTIVE", "SSEDescription": sealed, "DeletionProtectionEnabled": True}

    def described(told: dict[str, Any]) -> Answer:
        if told["TableName"] == "fir_events":
            return 200, json.dumps({"Table": table})
        return refused("ResourceNotFoundException")

    aws.answers["DescribeTable"] = described
    recovery = {"PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "ENABLED"}}
    aws.answers["DescribeContinuousBackups"] = (
        200,
        json.dumps({"ContinuousBackupsDescription": {"ContinuousBackupsStatus": "ENABLED", **recovery}}),
    )
    found = examined("tables")
    assert one(found, "fir_events").state is State.OK
    del table["DeletionProtectionEnabled"]
    assert one(examined("tables"), "fir_events").state is State.WARNING
    assert one(found, "fir_alerts").state is State.FAILED
    assert one(found, "face_leads").state is State.NOT_CHECKED  # of faces nothing is there
    found = examined("tables", faces={"leads_table": "our_leads"})
    assert one(found, "our_leads").state is State.FAILED  # the settings name it


def test_regions_of_all_that_is_named(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").write_text("[default]\nregion = eu-west-1\n")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", f"https://user:{CANARY}@sqs.eu-west-1.amazonaws.com")
    found = examined(
        "region",
        topic=f"arn:aws:sns:eu-west-1:{ACCOUNT}:t",
        runtime_role="arn:aws:iam::999999999999:role/r",
        schedule={"dead_letter_queue": f"arn:aws:sqs:{HERE}:{ACCOUNT}:q"},
        account=ACCOUNT,
        overruled={"AWS_DEFAULT_REGION": "us-west-2"},
    )
    sources = one(found, "variables")
    assert sources.state is State.WARNING
    assert "AWS_DEFAULT_REGION says us-west-2" in text_of(sources)
    assert "the profile says eu-west-1" in text_of(sources)
    for subject in ("endpoint AWS_ENDPOINT_URL_SQS", "ARN topic"):
        assert one(found, subject).state is State.FAILED
        assert "eu-west-1" in text_of(one(found, subject))
        assert HERE in text_of(one(found, subject))
    assert one(found, "ARN runtime_role").state is State.FAILED  # of another account
    assert one(found, "ARN schedule.dead_letter_queue").state is State.OK
    assert CANARY not in str([finding.row() for finding in found])


def test_quotas(aws: Aws) -> None:
    values = {"L-1216C47A": 5.0, "L-D05C8A75": 16.0, "L-F98FE922": 100.0}
    usage = {
        "MetricNamespace": "AWS/Usage",
        "MetricName": "ResourceCount",
        "MetricDimensions": {"Service": "DynamoDB"},
        "MetricStatisticRecommendation": "Maximum",
    }

    def quota(told: dict[str, Any]) -> Answer:
        found = {"Value": values[told["QuotaCode"]]}
        return 200, json.dumps({"Quota": found | ({"UsageMetric": usage} if found["Value"] == 100 else {})})

    aws.answers["GetServiceQuota"] = quota
    aws.answers["DescribeLimits"] = (200, json.dumps({"OpenShardCount": 500, "ShardLimit": 500}))
    point = {"Timestamp": datetime.now(UTC).timestamp(), "Maximum": 85.0}
    aws.answers["GetMetricStatistics"] = (200, json.dumps({"Datapoints": [point]}))
    found = examined("quotas")
    assert one(found, "vCPUs of on-demand").state is State.FAILED  # five are too few for a cluster
    assert one(found, "vCPUs of EMR Serverless").state is State.OK
    assert one(found, "Kinesis").state is State.FAILED
    tables = one(found, "DynamoDB")
    assert (tables.state, text_of(tables)) == (State.WARNING, "85 of 100")


def test_a_consumer_that_is_late(aws: Aws) -> None:
    now = datetime.now(UTC).timestamp()
    points = [{"Timestamp": now - 60, "Maximum": 0.0}, {"Timestamp": now, "Maximum": 90_000.0}]
    aws.answers["GetMetricStatistics"] = (200, json.dumps({"Datapoints": points}))
    said = one(examined("lag"))
    assert (said.state, text_of(said)) == (State.WARNING, "the slowest reader is 90 s late")
    aws.answers["GetMetricStatistics"] = (200, json.dumps({"Datapoints": []}))
    assert one(examined("lag")).state is State.NOT_CHECKED


def test_probes_are_made_side_by_side(aws: Aws) -> None:
    together = threading.Barrier(8)

    def described(_: dict[str, Any]) -> Answer:
        together.wait(timeout=20)  # breaks unless all eight tables are asked about at a time
        return refused("ResourceNotFoundException")

    aws.answers["DescribeTable"] = described
    assert len(examined("tables")) == 8


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[Callable[[timedelta], tuple[str, Path]]]:
    """Servers with a certificate that ends when it is told."""
    open_sockets: list[socket.socket] = []

    def serve(left: timedelta) -> tuple[str, Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=400))
            .not_valid_after(now + left)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .sign(key, hashes.SHA256())
        )
        file, keyfile = tmp_path / "cert.pem", tmp_path / "key.pem"
        file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        keyfile.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file, keyfile)
        listening = socket.create_server(("127.0.0.1", 0))
        open_sockets.append(listening)

        def answer() -> None:
            while True:
                try:
                    plain, _ = listening.accept()
                except OSError:
                    return
                try:
                    context.wrap_socket(plain, server_side=True).close()
                except OSError:
                    plain.close()

        threading.Thread(target=answer, daemon=True).start()
        return f"https://localhost:{listening.getsockname()[1]}", file

    yield serve
    for one_socket in open_sockets:
        one_socket.close()


@pytest.mark.parametrize(
    ("days", "trusted", "state"),
    [(300, True, State.OK), (5, True, State.WARNING), (-1, True, State.FAILED), (300, False, State.FAILED)],
)
def test_certificates_of_endpoints(
    tls: Callable[[timedelta], tuple[str, Path]],
    monkeypatch: pytest.MonkeyPatch,
    days: int,
    trusted: bool,
    state: State,
) -> None:
    url, file = tls(timedelta(days=days, hours=1))
    if trusted:
        monkeypatch.setenv("AWS_CA_BUNDLE", str(file))
    said = Said()
    doctor_here._tls(said, url)
    assert said.state is state, said.remarks


def test_plain_http_is_for_this_machine_alone() -> None:
    here, there = Said(), Said()
    doctor_here._tls(here, "http://127.0.0.1:4566")
    doctor_here._tls(there, "http://faces.police.example")
    assert (here.state, there.state) == (State.OK, State.FAILED)


@pytest.mark.parametrize(
    ("principal", "condition", "is_open"),
    [
        ("*", None, True),
        ({"AWS": "*"}, None, True),
        ({"AWS": [f"arn:aws:iam::{ACCOUNT}:root", "*"]}, None, True),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, None, False),
        ({"Service": "logging.s3.amazonaws.com"}, None, False),
        ("*", {"Bool": {"aws:SecureTransport": "true"}}, True),
        ("*", {"StringNotEquals": {"aws:SourceAccount": ACCOUNT}}, True),
        ("*", {"StringLike": {"aws:PrincipalArn": "*"}}, True),
        ("*", {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}, False),
        ({"AWS": ["*", f"arn:aws:iam::{ACCOUNT}:root"]}, None, True),
        ({"AWS": ["*"]}, {"StringEquals": {"aws:SourceVpce": ["vpce-1", "vpce-2"]}}, False),
        ("*", {"StringEquals": {"aws:SourceVpce": ["vpce-1", "*"]}}, True),
        ("*", {"StringLike": {"aws:PrincipalOrgID": "o-*"}}, True),
        ("*", {"StringEquals": {"aws:PrincipalOrgID": "o-1a2b"}}, False),
        ("*", {"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-1a2b"}}, True),
        ("*", {"StringEquals": {"s3:prefix": "open/"}}, True),
        ("*", {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}, True),
        ("*", {"ArnLike": {"aws:SourceArn": f"arn:aws:sns:*:{ACCOUNT}:*"}}, False),
        ("*", {"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:*:*"}}, True),
        ("*", {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/*"}}, False),
    ],
)
def test_a_policy_lets_everybody_in_unless_it_says_whom(
    principal: Any, condition: dict[str, Any] | None, is_open: bool
) -> None:
    told = {"Effect": "Allow", "Principal": principal, **({"Condition": condition} if condition else {})}
    assert doctor_buckets.is_open(told) is is_open


def test_who_is_not_somebody_is_everybody() -> None:
    theirs = {"Effect": "Allow", "NotPrincipal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}
    assert doctor_buckets.is_open(theirs)
    assert not doctor_buckets.is_open(theirs | {"Effect": "Deny"})


def test_an_answer_that_is_none_of_awss_is_not_printed(aws: Aws) -> None:
    aws.answers["GetCallerIdentity"] = (200, f"<html>{CANARY}")
    said = one(examined("credentials"))
    assert (said.state, text_of(said)) == (State.FAILED, "the answer is none of AWS's")


def test_a_defect_of_a_check_is_not_swallowed() -> None:
    def broken(_: object) -> Iterator[doctor.Probe]:
        yield doctor.Probe("x", lambda _: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        doctor.examine(settings(), [doctor.Check("c", "", broken, needs_aws=False)])


def test_what_is_the_same_is_shown_once_and_the_worst_first() -> None:
    found = [
        Finding("tables", "a", Said().ok("ACTIVE")),
        Finding("tables", "b", Said().ok("ACTIVE").warn("no backups", "deploy")),
        Finding("tables", "c", Said().ok("ACTIVE").warn("no backups", "deploy")),
        Finding("keys", "k", Said().fail("off", "turn on")),
        Finding("emr", "", Said().unknown("none named")),
        Finding("lag", "", Said().unknown("none named")),
    ]
    rows = doctor_rows.condensed(found)
    assert [(row["state"], row["what"], row["found"]) for row in rows] == [
        ("failed", ["keys: k"], ["off"]),
        ("warning", ["tables: b", "tables: c"], ["no backups"]),
        ("ok", ["tables"], ["ACTIVE"]),
        ("not checked", ["emr", "lag"], ["none named"]),
    ]
    assert doctor_rows.summary(found) == "1 failed, 2 warning, 1 ok, 2 not checked"


def test_the_command(
    aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "crime-jobs.toml").write_text(
        f'[police]\nregion = "{HERE}"\nlanding = "s3://l"\nlake = "s3://k"\n[police.stream]\nname = "firs"\n'
    )
    assert main(["doctor", "--env", "police", "--only", "streams"]) == 1
    said = capsys.readouterr()
    rows = [json.loads(line) for line in said.out.splitlines()]
    assert [(row["subject"], row["state"]) for row in rows] == [
        ("firs", "failed"),
        ("fir-counts", "not checked"),
    ]
    assert "1 failed" in said.err
    assert main(["doctor", "--env", "police", "--only", "strems"]) == 2
    assert "streams" in capsys.readouterr().err
    assert main(["doctor", "--env", "police", "--only", "clock"]) == 0
    assert main(["doctor", "--env", "police"]) == 1
    said = capsys.readouterr()
    assert CANARY not in said.out + said.err
    assert {json.loads(line)["check"] for line in said.out.splitlines()} == {
        check.name for check in doctor_checks.CHECKS
    }


def test_here_there_is_little_to_look_at(
    aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["doctor", "--only", "folders"]) == 1  # no landing here
    (tmp_path / "data").mkdir()
    assert main(["doctor", "--only", "folders", "--only", "credentials"]) == 0
    last = [json.loads(line) for line in capsys.readouterr().out.splitlines()][-3:]
    assert [row["state"] for row in last] == ["not checked", "ok", "ok"]
    assert aws.asked == []


def test_a_wrong_check_is_named() -> None:
    with pytest.raises(WrongUsage, match="bucket"):
        doctor.chosen(doctor_checks.CHECKS, ["bucket"])


@pytest.mark.parametrize("url", ["http://[::1", "https://host:port", "https://host:99999"])
def test_an_endpoint_that_is_no_address_is_a_finding(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """What the doctor is asked for when nothing works must not end with a traceback."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", url)
    found = examined("certificates", "region")
    for name in ("certificates", "region"):
        said = [text_of(one.said) for one in found if one.check == name and one.said.state is State.FAILED]
        assert any(f"{url} is no address" in text for text in said)


def test_a_name_that_no_host_can_have_is_a_finding() -> None:
    said = Said()
    doctor_here._tls(said, f"https://{'a' * 64}.example")
    assert said.state is State.FAILED


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b"[" * 100_000])
def test_a_manifest_that_is_none_is_a_finding(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    """Anybody who may write packages may write anything there."""

    class S3:
        def get_paginator(self, _: str) -> S3:
            return self

        def paginate(self, **_: Any) -> list[Any]:
            return [{"Contents": [{"Key": "p/manifest-1.json", "LastModified": datetime.now(UTC)}]}]

        def get_object(self, **_: Any) -> Any:
            return {"Body": io.BytesIO(body)}

    monkeypatch.setattr(doctor.Where, "client", lambda *_: S3())
    where = doctor.Where(settings(artifacts="s3://police-artifacts/p"))
    (probe,) = doctor_stores.package(where)
    said = Said().ask(probe.look)
    assert said.state is State.FAILED
    assert "no manifest" in text_of(said)


def test_an_environment_without_schedules_is_no_failure(aws: Aws) -> None:
    """The group is made with the first schedule: where it is not there, and nobody has named it, none is."""
    group = "/schedules?groupName=crime-jobs-police"
    aws.answers[f"GET {group}"] = aws.answers["GET /schedules"] = refused("ResourceNotFoundException")
    (found,) = examined("schedules")
    assert found.said.state is State.NOT_CHECKED
    (found,) = examined("schedules", schedule={"group": "nightly"})
    assert found.said.state is State.FAILED
