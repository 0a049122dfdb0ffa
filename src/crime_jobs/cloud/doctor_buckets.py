"""What the doctor looks at of buckets: where they are, who gets in, how what is in them is kept."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from crime_jobs import aws
from crime_jobs.cloud import doctor_held
from crime_jobs.cloud.doctor import Probe, Said, Where
from crime_jobs.cloud.doctor_stores import FIRS, REDEPLOY
from crime_jobs.model import streams
from crime_jobs.region import RULE
from crime_jobs.settings import Settings

#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
_BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
_EVERYBODY = (
    "http://acs.amazonaws.com/groups/global/AllUsers",
    "http://acs.amazonaws.com/groups/global/AuthenticatedUsers",
)
#: What a statement for everybody may ask for, so that it is for a few: keys that name an account, an
#: organisation, a VPC, an endpoint of one, or the ARN it comes from, with tests that hold only where the key
#: is there (the same page, "the meaning of public"). Where from in the internet is no name: who comes from an
#: address is not known.
_FROM = frozenset(
    (
        *("aws:principalaccount", "aws:sourceaccount", "aws:sourceowner", "kms:calleraccount"),
        *("aws:principalorgid", "aws:sourceorgid", "aws:sourcevpc", "aws:sourcevpce"),
        *("aws:principalarn", "aws:sourcearn", "s3:dataaccesspointaccount", "s3:dataaccesspointarn"),
    )
)
_HOLDS = re.compile(r"(ForAnyValue:)?(StringEquals(IgnoreCase)?|StringLike|ArnEquals|ArnLike)")
#: An ARN that names its account, whatever else of it is left open.
_OF_AN_ACCOUNT = re.compile(r"arn:[\w-]+:[\w*-]+:[\w*-]*:\d{12}:.+")


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
    """Look where buckets are, who gets in, and how what is in them is kept.

    Those that the settings name, and those that only the stacks know: of photographs, of the trail, of access
    logs. What a template does without on purpose is not asked for: access logs can be under no KMS key.
    """
    named = buckets_of(where.settings)
    held, silent = doctor_held.of_type(where, "AWS::S3::Bucket")
    wanted = {one.id: one.wanted for one in held}
    subjects = {bucket: (names, part) for bucket, (names, part) in named.items()}
    for one in held:
        subjects.setdefault(one.id, (f"{one.name} of {one.stream}", ""))
    for bucket, (about, part) in subjects.items():
        look = partial(_bucket, where, bucket=bucket, wanted=wanted.get(bucket))
        yield Probe(f"{bucket} ({about})", look, part)
    yield from silent


def _bucket(where: Where, said: Said, bucket: str, wanted: Mapping[str, Any] | None) -> None:
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
    said.ask(lambda said: _encrypted(said, s3, bucket, own_key=_is_under_s3s_own_key(wanted)), "encryption")
    if wanted is None or "VersioningConfiguration" in wanted:
        said.ask(lambda said: _versioned(said, s3, bucket), "versions")
    said.ask(lambda said: _policy(said, s3, bucket), "policy")


def _is_under_s3s_own_key(wanted: Mapping[str, Any] | None) -> bool:
    """Tell whether a template asks for no KMS key."""
    rules = (wanted or {}).get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration", [])
    told = [rule.get("ServerSideEncryptionByDefault", {}) for rule in rules]
    return any(one.get("SSEAlgorithm") == "AES256" for one in told)


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


def _encrypted(said: Said, s3: Any, bucket: str, *, own_key: bool) -> None:
    answer = _or_none(
        lambda: s3.get_bucket_encryption(Bucket=bucket), "ServerSideEncryptionConfigurationNotFoundError"
    )
    rules = (answer or {}).get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
    how = [rule.get("ApplyServerSideEncryptionByDefault", {}).get("SSEAlgorithm", "") for rule in rules]
    if any(name.startswith("aws:kms") for name in how):
        said.ok("encrypted with a KMS key")
    elif how and own_key:
        said.ok("encrypted with S3's own key, as the template says")
    elif how:
        said.warn(f"encrypted with S3's own key ({', '.join(how)})", REDEPLOY)
    else:
        said.fail("not encrypted", REDEPLOY)


def _versioned(said: Said, s3: Any, bucket: str) -> None:
    status = s3.get_bucket_versioning(Bucket=bucket).get("Status")
    if status == "Enabled":
        said.ok("keeps versions")
    else:
        said.warn("keeps no versions: what is overwritten is gone", REDEPLOY)


def _policy(said: Said, s3: Any, bucket: str) -> None:
    answer = _or_none(lambda: s3.get_bucket_policy(Bucket=bucket), "NoSuchBucketPolicy")
    statements = json.loads(answer["Policy"]).get("Statement", []) if answer else []
    statements = statements if isinstance(statements, list) else [statements]
    if any(is_open(one) for one in statements):
        said.fail(
            "its policy lets in whom it does not name",
            f"`aws s3api get-bucket-policy --bucket {bucket}` shows it.",
        )
    if any(_refuses_plain(one) for one in statements):
        said.ok("by TLS only")
    else:
        said.warn("its policy does not refuse what comes without TLS", REDEPLOY)


def is_open(statement: Mapping[str, Any]) -> bool:
    """Tell whether a statement of a policy lets in somebody that nobody has named.

    Parameters
    ----------
    statement
        The statement.
    """
    if statement.get("Effect") != "Allow":
        return False
    principal = statement.get("Principal")
    named = principal.get("AWS", []) if isinstance(principal, dict) else principal
    everybody = "NotPrincipal" in statement or "*" in _listed(named)
    return everybody and not _narrows(statement)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _narrows(statement: Mapping[str, Any]) -> bool:
    """Tell whether a condition says whose it must be; one on TLS alone, for example, does not."""
    return any(
        _HOLDS.fullmatch(operator)
        and key.lower() in _FROM
        and all(_names(str(value)) for value in _listed(told))
        for operator, tests in (statement.get("Condition") or {}).items()
        for key, told in tests.items()
    )


def _names(value: str) -> bool:
    """Tell whether a value is somebody's, and not anybody's."""
    return bool(_OF_AN_ACCOUNT.fullmatch(value)) or not re.search(r"[*?]|^$", value)


def _refuses_plain(statement: dict[str, Any]) -> bool:
    condition = statement.get("Condition", {}).get("Bool", {})
    return statement.get("Effect") == "Deny" and str(condition.get("aws:SecureTransport")).lower() == "false"
