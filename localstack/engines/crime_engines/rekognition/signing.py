"""Who signed a request: AWS Signature Version 4, computed anew by botocore's own signer and compared.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html; the errors are
worded as the service words them.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from crime_engines.protocol import Refusal
from crime_engines.protocol.service import Request

SERVICE = "rekognition"

#: How far a client's clock may be off, as AWS has it.
SKEW = timedelta(minutes=5)

_STAMP = "%Y%m%dT%H%M%SZ"
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=(?P<key>\w{1,128})/(?P<day>\d{8})/(?P<region>[a-z0-9-]{1,32})/"
    r"(?P<service>[a-z0-9-]{1,32})/aws4_request, *SignedHeaders=(?P<headers>[a-z0-9;_-]{1,1024}), *"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass(frozen=True)
class Claim:
    """What a request's header ``Authorization`` says, unproved.

    Parameters
    ----------
    key
        The access key id.
    day, region, service
        The scope of the signature.
    headers
        Names of the headers that are signed.
    signature
        The signature, 64 hexadecimal digits.
    """

    key: str
    day: str
    region: str
    service: str
    headers: tuple[str, ...]
    signature: str


def claim(headers: Mapping[str, str]) -> Claim:
    """Read who a request says to be from.

    Parameters
    ----------
    headers
        Of the request, by lower-case name.

    Returns
    -------
    Claim

    Raises
    ------
    Refusal
        ``MissingAuthenticationTokenException``, ``IncompleteSignatureException``.
    """
    given = headers.get("authorization")
    if not given:
        raise Refusal("MissingAuthenticationTokenException", "Request is missing Authentication Token", 403)
    found = _AUTHORIZATION.fullmatch(given.strip())
    if found is None:
        raise incomplete("The request signature does not conform to AWS standards.")
    names = tuple(found["headers"].split(";"))
    needed = {name for name in headers if name.startswith("x-amz-")} | {"host", "x-amz-date"}
    if unsigned := needed - set(names):
        missing = ", ".join(sorted(unsigned))
        raise incomplete(f"These headers have to be there and signed: {missing}")
    if absent := [name for name in names if name not in headers]:
        raise incomplete(f"Signed headers that are not there: {len(absent)}")
    return Claim(found["key"], found["day"], found["region"], found["service"], names, found["signature"])


def check(request: Request, said: Claim, secret: str, region: str, now: datetime | None = None) -> None:
    """Find out whether a request is signed with a secret, for here and now.

    Parameters
    ----------
    request
        The request.
    said
        What it claims.
    secret
        The secret access key of the client that it claims to be from.
    region
        The region that is served.
    now
        The time, if it is another.

    Raises
    ------
    Refusal
        ``InvalidSignatureException``, ``IncompleteSignatureException``.
    """
    stamp = request.headers["x-amz-date"]
    _check_time(stamp, now or datetime.now(UTC))
    if said.day != stamp[:8]:
        raise wrong("Date in Credential scope does not match the day of X-Amz-Date.")
    if said.region != region:
        raise wrong(f"Credential should be scoped to a valid region: '{region}'.")
    if said.service != SERVICE:
        raise wrong(f"Credential should be scoped to correct service: '{SERVICE}'.")
    digest = request.headers.get("x-amz-content-sha256")
    if digest is not None and digest != hashlib.sha256(request.body).hexdigest():
        raise _mismatch()
    headers = {name: request.headers[name] for name in said.headers}
    query = f"?{request.query}" if request.query else ""
    # The name in the URL counts for nothing: the header Host is among those that are signed.
    asked = AWSRequest(request.method, f"https://127.0.0.1{request.path}{query}", headers, request.body)
    asked.context["timestamp"] = stamp
    signer = SigV4Auth(Credentials(said.key, secret), SERVICE, region)
    signature = signer.signature(signer.string_to_sign(asked, signer.canonical_request(asked)), asked)
    if not hmac.compare_digest(signature, said.signature):
        raise _mismatch()


def _check_time(stamp: str, now: datetime) -> None:
    try:
        signed = datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
    except ValueError as error:
        raise incomplete("X-Amz-Date must be in ISO-8601 basic format: YYYYMMDD'T'HHMMSS'Z'") from error
    minutes = f"{SKEW.seconds // 60} min."
    clock = now.strftime(_STAMP)
    if signed < now - SKEW:
        least = (now - SKEW).strftime(_STAMP)
        raise wrong(f"Signature expired: {stamp} is now earlier than {least} ({clock} - {minutes})")
    if signed > now + SKEW:
        most = (now + SKEW).strftime(_STAMP)
        raise wrong(f"Signature not yet current: {stamp} is still later than {most} ({clock} + {minutes})")


def wrong(message: str) -> Refusal:
    """Return an ``InvalidSignatureException``.

    Parameters
    ----------
    message
        What is wrong.
    """
    return Refusal("InvalidSignatureException", message)


def incomplete(message: str) -> Refusal:
    """Return an ``IncompleteSignatureException``.

    Parameters
    ----------
    message
        What is missing.
    """
    return Refusal("IncompleteSignatureException", message)


def _mismatch() -> Refusal:
    return wrong(
        "The request signature we calculated does not match the signature you provided. Check your AWS "
        "Secret Access Key and signing method. Consult the service documentation for details."
    )
