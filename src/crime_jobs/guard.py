"""The guard that every client carries: no call leaves the environment's region, or account.

It is made of handlers of botocore's events
(https://docs.aws.amazon.com/boto3/latest/guide/events.html), so that what raises is the call itself, before
anything is sent, and every attempt of it: retries and redirects too. What it looks at:

- the parameters, by the operation's shapes: ARNs and addresses of AWS anywhere in their texts, buckets, and
  what is named a region; not what is data (a record, an item, a message, a secret): that may say what it
  likes;
- the host that a request goes to, and the region that it is signed for;
- S3's answers that send the caller to another region, which boto3 would follow.

Where credentials come from is not held: a company's sign-in (IAM Identity Center) may well be elsewhere.
"""

from __future__ import annotations

import re
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError, StubResponseError

from crime_jobs import parameters, region
from crime_jobs.errors import Elsewhere, WrongUsage

if TYPE_CHECKING:
    from crime_jobs.settings import Settings

#: What may be called in a region that is only looked at.
READS = re.compile(r"(?:BatchGet|Describe|Get|Head|List)[A-Z]")

#: Operations that name a bucket which is not there yet, or that look where one is.
_NO_BUCKET_YET = frozenset({"CreateBucket", "HeadBucket", "ListBuckets", "ListDirectoryBuckets"})

#: Where a bucket is, by endpoint, the region asked from, and name: it can't move.
_buckets: dict[tuple[str, str, str], str] = {}

#: Buckets that S3 could not be asked for in passing, and when: a call is not held up by it again so soon.
_unasked: dict[tuple[str, str, str], float] = {}
_ASK_AGAIN = 60.0

_BUCKET = r"([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])"
_S3_ARN = re.compile(rf"arn:aws[\w-]*:s3:::{_BUCKET}(?:/[^*]*)?")
_S3_WHOLE = re.compile(rf"s3[an]?://{_BUCKET}(?:/[^*]*)?")
#: Anywhere in a text; what goes on after the name (a pattern, a placeholder) names no bucket.
_S3_URI = re.compile(rf"\bs3[an]?://{_BUCKET}(?=\.?(?:[/\s'\"`(),;<>\[\]}}\\|&?#]|$))")
_KNOWN_TO_BE_THERE = frozenset({200, 403})
_REDIRECTS = frozenset({301, 302, 307, 400})


@dataclass(frozen=True)
class Guard:
    """Where a client may call.

    Parameters
    ----------
    settings
        The environment.
    service
        As boto3 names it.
    here
        The region that the client is held to.
    reads_only
        Whether operations that change something are refused.
    bucket_asker
        Returns a client of S3 to look where a bucket is with; ``None`` where nothing is to be asked.
    """

    settings: Settings
    service: str
    here: str
    reads_only: bool = False
    bucket_asker: Callable[[], Any] | None = None
    _allowed: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        allowed = {self.here, region.home_of(self.service, self.here)}
        object.__setattr__(self, "_allowed", frozenset(allowed))

    def register(self, events: Any) -> None:
        """Hold all that goes through an emitter of events.

        Parameters
        ----------
        events
            ``client.meta.events``, or ``session.events`` for every client that a session makes later.
        """
        events.register_first("provide-client-params", self.on_parameters)
        events.register_first("before-sign", self.on_signing)
        events.register_first("needs-retry.s3", self.on_answer)
        events.register_first("after-call.s3", self.on_parsed)

    def on_parameters(self, params: Any, model: Any, **_: Any) -> None:
        """Hold what a call was given."""
        reads = READS.match(model.name) is not None
        if self.reads_only and not reads:
            raise WrongUsage(
                f"{model.name} would change something in region {self.here}, environment "
                f"{self.settings.env!r} is in {self.settings.region}.",
                hint="Another region is looked at only.",
            )
        found = parameters.of(params, model, self.service)
        for text in found.texts:
            self._hold_text(text, model.name)
        for text in (*found.texts, *found.queries):
            self._hold_files(text, ask=not reads)
        if found.regions and not reads:
            for name, said in found.regions:
                self._hold_region(said, f"{model.name}: {name} {said}")
        for bucket in found.buckets:
            if model.name not in _NO_BUCKET_YET:
                # What is only read is not there to be read from here: the answer itself says so.
                self._hold_bucket(bucket, ask=not reads)
        if self.service == "s3" and model.name == "CreateBucket":
            self._hold_new_bucket(params)

    def on_signing(self, request: Any, region_name: str, **_: Any) -> None:
        """Hold the host, and the region that a request is signed for, on each attempt."""
        host = urlsplit(request.url).hostname or ""
        there = region.of_host(host)
        if there is not None and there not in self._allowed:
            raise self._refused(f"Endpoint {host}", there)
        signed = (request.context.get("signing") or {}).get("region") or region_name
        if signed not in self._allowed:
            raise self._refused(f"A call of {self.service} (signed for {signed})", str(signed))

    def on_answer(self, response: Any, request_dict: Any, **_: Any) -> None:
        """Refuse to follow S3 to another region."""
        if response is not None:
            self.on_parsed(response[1], request_dict.get("context") or {})

    def on_parsed(self, parsed: Any, context: Any, **_: Any) -> None:
        """Refuse what S3's answer says of another region: it says so with each refusal."""
        about = parsed.get("ResponseMetadata", {})
        there = about.get("HTTPHeaders", {}).get("x-amz-bucket-region")
        if about.get("HTTPStatusCode") in _REDIRECTS:
            error = parsed.get("Error", {})
            there = there or error.get("Region")
            if there and there not in self._allowed:
                name = (context.get("s3_redirect") or {}).get("bucket")
                raise self._refused(f"Bucket {name}" if name else "The bucket", there)

    def _refused(self, what: str, there: str) -> Elsewhere:
        if self.here == self.settings.region:
            return region.refused(what, there, self.settings)
        said = f"{what} is in region {there}, and {self.here} is looked at."
        return Elsewhere(said, hint=region.RULE, there=there)

    def _hold_region(self, said: str, what: str) -> None:
        if region.is_region(said) and said not in self._allowed:
            raise self._refused(what, said)

    def _hold_text(self, text: str, operation: str) -> None:
        for found in region.arns_in(text):
            there, account = found["region"], found["account"]
            if there and there not in self._allowed:
                raise self._refused(f"{operation}: {found[0]}", there)
            if account and self.settings.account and account != self.settings.account:
                raise WrongUsage(
                    f"{operation}: {found[0]} is of account {account}, environment {self.settings.env!r} "
                    f"of {self.settings.account}.",
                    hint="Correct the ARN, or account in the environment's section of crime-jobs.toml.",
                )
        for host in region.hosts_in(text):
            there = region.of_host(host)
            if there and there not in self._allowed:
                raise self._refused(f"{operation}: {host}", there)

    def _hold_files(self, text: str, *, ask: bool) -> None:
        if self.service == "s3":
            return
        if self.service != "cloudformation":
            named = {place[1] for place in _S3_URI.finditer(text)}
        else:  # a template has examples in it, of buckets that are strangers'; a parameter is whole
            named = {place[1] for place in [_S3_WHOLE.fullmatch(text)] if place}
        if place := _S3_ARN.fullmatch(text):
            named.add(place[1])
        for bucket in sorted(named):
            self._hold_bucket(bucket, ask=ask)

    def _hold_new_bucket(self, params: Any) -> None:
        """In us-east-1 S3 makes a bucket in any region that it is told; elsewhere it refuses that itself."""
        told = (params.get("CreateBucketConfiguration") or {}).get("LocationConstraint") or self.here
        there = "eu-west-1" if told == "EU" else told
        if there not in self._allowed:
            raise self._refused(f"Bucket {params.get('Bucket')} that is to be made", there)

    def _hold_bucket(self, bucket: str, *, ask: bool) -> None:
        s3 = self.bucket_asker() if self.bucket_asker else None
        if s3 is None:
            return
        key = (s3.meta.endpoint_url, self.here, bucket)
        if self.service != "s3" and time.monotonic() - _unasked.get(key, -_ASK_AGAIN) < _ASK_AGAIN:
            ask = False
        try:
            there = look(s3, bucket, here=self.here, ask=ask)
        except BotoCoreError:
            if self.service == "s3":
                raise
            _unasked[key] = time.monotonic()
            return  # the call is not S3's: what can't be asked in passing, the service itself will refuse
        if there and there not in self._allowed:
            raise self._refused(f"Bucket {bucket}", there)


def look(s3: Any, bucket: str, *, here: str, ask: bool = True) -> str:
    """Return the region of a bucket, which S3 says with each answer, refusals too.

    Parameters
    ----------
    s3
        A client of S3.
    bucket
        Its name.
    here
        The region that is asked.
    ask
        Whether S3 is asked, or only what it said before is told.

    Returns
    -------
    str
        Empty where it does not say: what the call itself says better (no such bucket, credentials that are
        not good) is left to it.

    Raises
    ------
    Elsewhere
        From the guard of the client: the bucket is in another region.
    """
    key = (s3.meta.endpoint_url, here, bucket)
    if key in _buckets or not ask:
        return _buckets.get(key, "")
    try:
        said = s3.head_bucket(Bucket=bucket)
    except Elsewhere as error:
        _buckets[key] = error.there
        raise
    except ClientError as error:
        said = error.response
    except StubResponseError:
        return ""
    about = said.get("ResponseMetadata", {})
    there = str(said.get("BucketRegion") or about.get("HTTPHeaders", {}).get("x-amz-bucket-region") or "")
    if there or about.get("HTTPStatusCode") in _KNOWN_TO_BE_THERE:
        _buckets[key] = there
    return there


def hold(
    client: Any,
    settings: Settings,
    here: str,
    *,
    reads_only: bool = False,
    s3: Callable[[], Any] | None = None,
) -> None:
    """Hold a client to a region.

    Parameters
    ----------
    client
        A client of boto3.
    settings
        The environment.
    here
        The region.
    reads_only
        Whether operations that change something are refused.
    s3
        Makes a client of S3, to look where a bucket is that another service is told of.
    """
    service, weak = client.meta.service_model.service_name, weakref.ref(client)
    if service == "s3":
        asker: Callable[[], Any] | None = weak
    else:
        asker = _beside(client.meta.endpoint_url, s3) if s3 else None
    Guard(settings, service, here, reads_only, asker).register(client.meta.events)


def _beside(endpoint: str, make: Callable[[], Any]) -> Callable[[], Any]:
    """Make S3's client once, and only if S3 is where the service is: both AWS's, or both not."""

    @cache
    def made() -> Any:
        s3 = make()
        is_aws = [region.is_aws(url) for url in (endpoint, s3.meta.endpoint_url)]
        return s3 if is_aws[0] == is_aws[1] else None

    return made
