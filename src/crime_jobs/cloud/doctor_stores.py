"""What the doctor looks at where data is: tables, streams, queues, keys, secrets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from crime_jobs import aws
from crime_jobs.cloud import doctor_held
from crime_jobs.cloud.doctor import Probe, Said, Where
from crime_jobs.model import faces, streams

FIRS, FACES = "FIRs", "faces"

#: Tables of what can't be made again, by the setting that names them: FIRs and their identities, who is on a
#: watch list, what was decided and who did what. Their templates protect them from being deleted.
PROTECTED = frozenset({"events_table", "identities_table", "people_table", "leads_table", "audit_table"})

REDEPLOY = "`crime-jobs deploy` sets it as the template says."


def firs_part(where: Where, key: str) -> str:
    """Return of what a name of the table ``stream`` is a part: of nothing, where the settings name it."""
    return "" if key in where.settings.stream else FIRS


def tables(where: Where) -> Iterator[Probe]:
    """Look at DynamoDB's tables: there, encrypted, and with what can bring them back."""
    stream, face = streams.of(where.settings.stream), faces.of(where.settings.faces)
    for key in ("events_table", "identities_table", "alerts_table", "runs_table"):
        name = getattr(stream, key)
        yield Probe(name, partial(_table, where, name=name, setting=key), firs_part(where, key))
    for key in ("people_table", "photographs_table", "leads_table", "audit_table"):
        name, part = getattr(face, key), "" if key in where.settings.faces else FACES
        yield Probe(name, partial(_table, where, name=name, setting=key), part)


def _table(where: Where, said: Said, name: str, setting: str) -> None:
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
        said.warn("encrypted with DynamoDB's own key", REDEPLOY)
    if setting in PROTECTED:
        _protected(said, name, is_so=bool(table.get("DeletionProtectionEnabled")))
    said.ask(lambda said: _can_be_restored(said, client, name), "backups")


def _protected(said: Said, name: str, *, is_so: bool) -> None:
    if is_so:
        said.ok("protected from being deleted")
    else:
        said.warn(
            "anybody who may delete tables can delete it",
            f"`aws dynamodb update-table --table-name {name} --deletion-protection-enabled`",
        )


def _can_be_restored(said: Said, client: Any, name: str) -> None:
    answer = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    status = answer.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus")
    if status == "ENABLED":
        said.ok("can be brought back to any second of the last days")
    else:
        said.warn("point-in-time recovery is off", REDEPLOY)


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
        said.warn("not encrypted at rest", REDEPLOY)


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
        said.warn("not encrypted at rest", REDEPLOY)


def keys(where: Where) -> Iterator[Probe]:
    """Look at KMS's keys: enabled, and rotated every year."""
    stream, face = streams.of(where.settings.stream), faces.of(where.settings.faces)
    yield Probe(stream.key, partial(_key, where, key=stream.key), firs_part(where, "key"))
    part = "" if "key" in where.settings.faces else FACES
    yield Probe(face.key, partial(_key, where, key=face.key), part)
    of_schedules = str(where.settings.schedule.get("key") or "")
    if of_schedules:
        yield Probe(f"{of_schedules} (of schedules)", partial(_key, where, key=of_schedules))
    held, silent = doctor_held.of_type(where, "AWS::KMS::Key")
    aliases, _ = doctor_held.of_type(where, "AWS::KMS::Alias")
    seen = {one.stream for one in aliases if one.id in (stream.key, face.key)}  # each has one key
    for one in held:
        if one.stream not in seen and not of_schedules.endswith(one.id):
            yield Probe(f"{one.name} of {one.stream}", partial(_key, where, key=one.id))
    yield from silent


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
    try:
        told = json.loads(s3.get_object(Bucket=bucket, Key=newest["Key"])["Body"].read())
    except (ValueError, RecursionError):
        told = None
    if isinstance(told, dict):
        _compare(said, told)
    else:
        said.fail(f"{newest['Key']} is no manifest of a package", "`crime-jobs package` ships one.")


def _compare(said: Said, told: dict[str, Any]) -> None:
    from crime_jobs import __version__

    about = f"version {told.get('version')} for {told.get('release')}, Python {told.get('python')}"
    if told.get("version") == __version__:
        said.ok(f"{about}, as here")
    else:
        said.warn(f"{about}; here is {__version__}", "`crime-jobs package` ships this one.")
