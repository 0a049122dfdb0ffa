"""What the doctor looks at where data is: buckets, tables, streams, queues, keys, secrets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from crime_jobs import aws
from crime_jobs.cloud.doctor import Probe, Said, Where
from crime_jobs.model import faces, streams
from crime_jobs.region import RULE
from crime_jobs.settings import Settings

FIRS, FACES = "FIRs", "faces"

#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
_BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
_EVERYBODY = (
    "http://acs.amazonaws.com/groups/global/AllUsers",
    "http://acs.amazonaws.com/groups/global/AuthenticatedUsers",
)
#: Conditions with which a policy for everybody is not a public one
#: (https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html, "the
#: meaning of public").
_HOLDS = ("StringEquals", "StringLike", "ArnEquals", "ArnLike", "IpAddress")
_FROM = frozenset(
    (
        *("aws:principalorgid", "aws:principalaccount", "aws:principalarn", "aws:sourcearn", "aws:sourceip"),
        *("aws:sourceaccount", "aws:sourceowner", "aws:sourcevpc", "aws:sourcevpce", "aws:userid"),
        "s3:dataaccesspointaccount",
    )
)
_REDEPLOY = "`crime-jobs deploy` sets it as the template says."


def firs_part(where: Where, key: str) -> str:
    """Return of what a name of the table ``stream`` is a part: of nothing, where the settings name it."""
    return "" if key in where.settings.stream else FIRS


def buckets_of(settings: Settings) -> dict[str, tuple[str, str]]:
    """Return the buckets that the settings name.

    Parameters
    ----------
    settings
        The environment.

    Returns
    -------
    dict
        For each bucket the settings that name it, and of what it is a part by default.
    """
    history = streams.of(settings.stream).history
    named = {
        "landing": (settings.landing, ""),
        "lake": (settings.lake, ""),
        "artifacts": (settings.artifacts or "", ""),
        "logs": (settings.logs or "", ""),
        "sql.results": (str(settings.sql.get("results") or ""), ""),
        "stream.history": (history, "" if "history" in settings.stream else FIRS),
    }
    found: dict[str, tuple[str, str]] = {}
    for name, (uri, part) in named.items():
        if not uri.startswith(("s3://", "s3a://", "s3n://")):
            continue
        bucket, _ = aws.split_uri(uri, name)
        before, part_before = found.get(bucket, ("", part))
        found[bucket] = (f"{before}, {name}" if before else name, part and part_before)
    return found


def buckets(where: Where) -> Iterator[Probe]:
    """Look where buckets are, who gets in, and how what is in them is kept."""
    for bucket, (names, part) in buckets_of(where.settings).items():
        yield Probe(f"{bucket} ({names})", partial(_bucket, where, bucket=bucket), part)


def _bucket(where: Where, said: Said, bucket: str) -> None:
    s3 = where.client("s3")
    there = s3.head_bucket(Bucket=bucket)
    headers = there["ResponseMetadata"]["HTTPHeaders"]
    found = there.get("BucketRegion") or headers.get("x-amz-bucket-region")
    if found and found != where.settings.region:
        here = where.settings.region
        said.fail(f"is in region {found}, the environment in {here}", f"Name a bucket in {here}. {RULE}")
        return
    said.ok(f"in {found}" if found else "there")
    said.ask(lambda said: _public(said, s3, bucket), "public access")
    said.ask(lambda said: _encrypted(said, s3, bucket), "encryption")
    said.ask(lambda said: _versioned(said, s3, bucket), "versions")
    said.ask(lambda said: _policy(said, s3, bucket), "policy")


def _or_none(call: Any, *codes: str) -> Any:
    """Make a call; ``None`` where its answer is that there is no such setting."""
    from botocore.exceptions import ClientError

    try:
        return call()
    except ClientError as error:
        if aws.code_of(error) in codes:
            return None
        raise


def _public(said: Said, s3: Any, bucket: str) -> None:
    answer = _or_none(
        lambda: s3.get_public_access_block(Bucket=bucket), "NoSuchPublicAccessBlockConfiguration"
    )
    block = (answer or {}).get("PublicAccessBlockConfiguration", {})
    lacking = [name for name in _BLOCKS if not block.get(name)]
    if lacking:
        said.fail(
            f"public access is not blocked ({', '.join(lacking)})",
            f"`aws s3api put-public-access-block --bucket {bucket} --public-access-block-configuration "
            f"{','.join(f'{name}=true' for name in _BLOCKS)}`",
        )
        grants = s3.get_bucket_acl(Bucket=bucket).get("Grants", [])
        if any(grant.get("Grantee", {}).get("URI") in _EVERYBODY for grant in grants):
            said.fail(
                "its ACL lets everybody in", f"`aws s3api put-bucket-acl --bucket {bucket} --acl private`"
            )
    else:
        said.ok("public access blocked")


def _encrypted(said: Said, s3: Any, bucket: str) -> None:
    answer = _or_none(
        lambda: s3.get_bucket_encryption(Bucket=bucket), "ServerSideEncryptionConfigurationNotFoundError"
    )
    rules = (answer or {}).get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
    how = [rule.get("ApplyServerSideEncryptionByDefault", {}).get("SSEAlgorithm", "") for rule in rules]
    if any(name.startswith("aws:kms") for name in how):
        said.ok("encrypted with a KMS key")
    elif how:
        said.warn(f"encrypted with S3's own key ({', '.join(how)})", _REDEPLOY)
    else:
        said.fail("not encrypted", _REDEPLOY)


def _versioned(said: Said, s3: Any, bucket: str) -> None:
    status = s3.get_bucket_versioning(Bucket=bucket).get("Status")
    if status == "Enabled":
        said.ok("keeps versions")
    else:
        said.warn("keeps no versions: what is overwritten is gone", _REDEPLOY)


def _policy(said: Said, s3: Any, bucket: str) -> None:
    answer = _or_none(lambda: s3.get_bucket_policy(Bucket=bucket), "NoSuchBucketPolicy")
    statements = json.loads(answer["Policy"]).get("Statement", []) if answer else []
    statements = statements if isinstance(statements, list) else [statements]
    if any(_is_open(one) for one in statements):
        said.fail(
            "its policy lets everybody in", f"`aws s3api get-bucket-policy --bucket {bucket}` shows it."
        )
    if any(_refuses_plain(one) for one in statements):
        said.ok("by TLS only")
    else:
        said.warn("its policy does not refuse what comes without TLS", _REDEPLOY)


def _is_open(statement: dict[str, Any]) -> bool:
    principal = statement.get("Principal")
    named = principal.get("AWS", []) if isinstance(principal, dict) else principal
    everybody = "*" in (named if isinstance(named, list) else [named])
    return bool(statement.get("Effect") == "Allow" and everybody and not _narrows(statement))


def _narrows(statement: dict[str, Any]) -> bool:
    """Tell whether a condition says where it must come from; one on TLS alone, for example, does not."""
    return any(
        operator in _HOLDS
        and key.lower() in _FROM
        and "*" not in (said if isinstance(said, list) else [said])
        for operator, tests in (statement.get("Condition") or {}).items()
        for key, said in tests.items()
    )


def _refuses_plain(statement: dict[str, Any]) -> bool:
    condition = statement.get("Condition", {}).get("Bool", {})
    return statement.get("Effect") == "Deny" and str(condition.get("aws:SecureTransport")).lower() == "false"


def tables(where: Where) -> Iterator[Probe]:
    """Look at DynamoDB's tables: there, encrypted, and with what can bring them back."""
    stream, face = streams.of(where.settings.stream), faces.of(where.settings.faces)
    for key in ("events_table", "identities_table", "alerts_table", "runs_table"):
        name = getattr(stream, key)
        yield Probe(name, partial(_table, where, name=name), firs_part(where, key))
    for key in ("people_table", "photographs_table", "leads_table", "audit_table"):
        name, part = getattr(face, key), "" if key in where.settings.faces else FACES
        yield Probe(name, partial(_table, where, name=name), part)


def _table(where: Where, said: Said, name: str) -> None:
    client = where.client("dynamodb")
    table = client.describe_table(TableName=name)["Table"]
    status = table["TableStatus"]
    if status == "ACTIVE":
        said.ok("ACTIVE")
    else:
        said.warn(status, "Wait until it is ACTIVE.")
    if table.get("SSEDescription", {}).get("Status") in ("ENABLED", "UPDATING"):
        said.ok("encrypted with a KMS key")
    else:
        said.warn("encrypted with DynamoDB's own key", _REDEPLOY)
    said.ask(lambda said: _can_be_restored(said, client, name), "backups")


def _can_be_restored(said: Said, client: Any, name: str) -> None:
    answer = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    status = answer.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus")
    if status == "ENABLED":
        said.ok("can be brought back to any second of the last days")
    else:
        said.warn("point-in-time recovery is off", _REDEPLOY)


def kinesis(where: Where) -> Iterator[Probe]:
    """Look at Kinesis's streams: active and encrypted."""
    stream = streams.of(where.settings.stream)
    for key in ("name", "counts"):
        name = getattr(stream, key)
        yield Probe(name, partial(_stream, where, name=name), firs_part(where, key))


def _stream(where: Where, said: Said, name: str) -> None:
    client = where.client("kinesis")
    found = client.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    status = found["StreamStatus"]
    if status == "ACTIVE":
        said.ok(f"ACTIVE, {found.get('OpenShardCount', '?')} shards, keeps {found['RetentionPeriodHours']} h")
    else:
        said.warn(status, "Wait until it is ACTIVE.")
    if found.get("EncryptionType") == "KMS":
        said.ok("encrypted with a KMS key")
    else:
        said.warn("not encrypted at rest", _REDEPLOY)


def queues(where: Where) -> Iterator[Probe]:
    """Look at SQS's queues of what could not be done."""
    stream = streams.of(where.settings.stream)
    letters = stream.dead_letters
    show = "`crime-jobs stream dead-letters list` shows them."
    yield Probe(letters, partial(_queue, where, name=letters, show=show), firs_part(where, "dead_letters"))
    if arn := where.settings.schedule.get("dead_letter_queue"):
        name = str(arn).rpartition(":")[2]
        show = f"`aws sqs receive-message --queue-url …/{name}` shows them, each with its reason."
        yield Probe(f"{name} (of schedules)", partial(_queue, where, name=name, show=show))


def _queue(where: Where, said: Said, name: str, show: str) -> None:
    sqs = where.client("sqs")
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    waiting = int(told.get("ApproximateNumberOfMessages", 0))
    if waiting:
        said.warn(f"about {waiting} letters wait", show)
    else:
        said.ok("empty")
    if told.get("KmsMasterKeyId") or told.get("SqsManagedSseEnabled") == "true":
        said.ok("encrypted")
    else:
        said.warn("not encrypted at rest", _REDEPLOY)


def keys(where: Where) -> Iterator[Probe]:
    """Look at KMS's keys: enabled, and rotated every year."""
    stream, face = streams.of(where.settings.stream), faces.of(where.settings.faces)
    yield Probe(stream.key, partial(_key, where, key=stream.key), firs_part(where, "key"))
    part = "" if "key" in where.settings.faces else FACES
    yield Probe(face.key, partial(_key, where, key=face.key), part)
    if key := where.settings.schedule.get("key"):
        yield Probe(f"{key} (of schedules)", partial(_key, where, key=str(key)))


def _key(where: Where, said: Said, key: str) -> None:
    kms = where.client("kms")
    found = kms.describe_key(KeyId=key)["KeyMetadata"]
    if found["KeyState"] == "Enabled":
        said.ok("enabled")
    else:
        said.fail(
            f"is {found['KeyState']}: what it sealed can't be opened", "Enable it, or cancel its deletion."
        )
    said.ask(lambda said: _rotation(said, kms, found["KeyId"]), "rotation")


def _rotation(said: Said, kms: Any, key: str) -> None:
    if kms.get_key_rotation_status(KeyId=key).get("KeyRotationEnabled"):
        said.ok("rotated every year")
    else:
        said.warn("not rotated", f"`aws kms enable-key-rotation --key-id {key}`")


def secrets(where: Where) -> Iterator[Probe]:
    """Look at secrets, and never into them."""
    if name := where.settings.oracle_secret:
        yield Probe(f"{name} (oracle_secret)", partial(_secret, where, name=name))


def _secret(where: Where, said: Said, name: str) -> None:
    found = where.client("secretsmanager").describe_secret(SecretId=name)
    if found.get("DeletedDate"):
        said.fail("is being deleted", f"`aws secretsmanager restore-secret --secret-id {name}`")
        return
    said.ok("there")
    if found.get("RotationEnabled"):
        said.ok("rotated by itself")
    else:
        said.warn("not rotated by itself", "See docs/deploy.md on the rotation of secrets.")


def package(where: Where) -> Iterator[Probe]:
    """Look whether the package on S3 is of this version."""
    if where.settings.artifacts:
        yield Probe(where.settings.artifacts, partial(_package, where))


def _package(where: Where, said: Said) -> None:
    bucket, prefix = aws.split_uri(str(where.settings.artifacts), "artifacts")
    s3 = where.client("s3")
    start = f"{prefix}/manifest-" if prefix else "manifest-"
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=start)
    found = [one for page in pages for one in page.get("Contents", [])]
    if not found:
        said.unknown("nothing was shipped yet", "`crime-jobs package` ships it.")
        return
    newest = max(found, key=lambda one: one["LastModified"])
    told = json.loads(s3.get_object(Bucket=bucket, Key=newest["Key"])["Body"].read())
    _compare(said, told)


def _compare(said: Said, told: dict[str, Any]) -> None:
    from crime_jobs import __version__

    about = f"version {told.get('version')} for {told.get('release')}, Python {told.get('python')}"
    if told.get("version") == __version__:
        said.ok(f"{about}, as here")
    else:
        said.warn(f"{about}; here is {__version__}", "`crime-jobs package` ships this one.")
