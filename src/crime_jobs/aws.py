"""The only place that makes boto3 clients: region guard, retries, timeouts, and what each refusal means."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from crime_jobs import __version__
from crime_jobs.errors import AwsRefused, CrimeJobsError, WrongUsage
from crime_jobs.region import home_of, refused

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

    from crime_jobs.settings import Settings

#: Attempts in all, with exponential back-off and jitter between them
#: (https://boto3.amazonaws.com/v1/documentation/api/latest/guide/retries.html, standard mode).
ATTEMPTS = 6
CONNECT_TIMEOUT, READ_TIMEOUT = 20, 60

#: Error codes that are about credentials, about permission, about something that is not there.
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId"} | {
    "UnrecognizedClientException",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "InvalidAccessKeyId",
}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403", "Forbidden"}
_THROTTLED = {"Throttling", "ThrottlingException", "TooManyRequestsException", "SlowDown"} | {
    "RequestLimitExceeded",
    "ServiceUnavailable",
}
_OTHER_REGION = {
    "301",
    "PermanentRedirect",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
}
_NO_BUCKET = {"NoSuchBucket", "404"}
_SERVER_ERROR = 500

_PATH = re.compile(r"(https?://)(?:[^/\s\"']*@)?([^/\s\"']+)(?:/[^\s\"']*)?")
_KEY = re.compile(r"(:s3:::[a-z0-9.-]+/)[^\"]*(?=\"|$)")
_ARN = re.compile(r"arn:[\w-]+:(?P<service>[\w-]*):(?P<region>[\w-]*):(?P<account>\d*):")


def region(settings: Settings) -> str:
    """Return the one region of the environment.

    Parameters
    ----------
    settings
        The settings.

    Raises
    ------
    WrongUsage
        If nothing names one: no default is assumed, since what is made in a region that nobody looks at goes
        on costing.
    """
    if not settings.region:
        raise WrongUsage(
            f"Nothing says which region environment {settings.env!r} is in.",
            hint="Give --region, set AWS_REGION, or write region into its section of crime-jobs.toml.",
        )
    return settings.region


def check_arn(arn: str, settings: Settings, what: str) -> None:
    """Refuse an ARN of another region before anything is asked of AWS.

    Parameters
    ----------
    arn
        The ARN; one of a service without regions (IAM) passes.
    settings
        The settings.
    what
        What it is, for the message.

    Raises
    ------
    WrongUsage
        If it is not an ARN, or names another region; both are named.
    """
    found = _ARN.match(arn)
    if not found:
        raise WrongUsage(
            f"{what}: {arn!r} is not an ARN.", hint="It looks like arn:aws:iam::123456789012:role/name."
        )
    if found["region"] and found["region"] != region(settings):
        raise WrongUsage(
            f"{what} {arn} is in region {found['region']}, "
            f"environment {settings.env!r} in {region(settings)}.",
            hint="Everything of an environment is in one region.",
        )


def client(
    service: str,
    settings: Settings,
    *,
    attempts: int = ATTEMPTS,
    validated: bool = True,
    elsewhere: str | None = None,
    writes: bool = False,
    within: Any = None,
    key: tuple[str, str] | None = None,
) -> Any:
    """Make a client of a service in the environment's region, which calls nothing outside it.

    Parameters
    ----------
    service
        As boto3 names it, for example ``emr`` or ``emr-serverless``.
    settings
        Region and profile. Endpoints come from the variables that every AWS tool reads
        (``AWS_ENDPOINT_URL``, ``AWS_ENDPOINT_URL_<SERVICE>``).
    attempts
        How often a call is tried in all, with a pause that grows.
    validated
        Whether parameters are held against the service's model before they are sent.
    elsewhere
        Another region to look at: the client is held to that one, and to operations that only read
        (``Describe…``, ``List…``, ``Get…``, ``Head…``).
    writes
        Whether a client for elsewhere may change something there: what `crime-jobs destroy` is told.
    within
        A `session` of that region to make it in, for who makes many; by default one of its own.
    key
        Id and secret of an access key that it signs with, in place of the credentials of whoever runs this.

    Returns
    -------
    botocore.client.BaseClient

    Raises
    ------
    WrongUsage
        If no region is set, or region, profile, endpoint or the AWS configuration can't be used; from a call
        of the client, before anything is sent, if that would go to another region (`crime_jobs.guard`).
    """
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ProfileNotFound

    from crime_jobs import guard

    here = elsewhere or region(settings)
    config = Config(
        region_name=home_of(service, here),
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        retries={"mode": "standard", "total_max_attempts": attempts},
        user_agent_extra=f"crime-jobs/{__version__}",
        parameter_validation=validated,
    )
    signs = dict(zip(("aws_access_key_id", "aws_secret_access_key"), key or (), strict=False))
    try:
        made = (within or session(settings, here)).client(service, config=config, **signs)
    except ProfileNotFound as error:
        raise WrongUsage(
            f"There is no AWS profile {settings.profile!r} (from {settings.sources.get('profile')}).",
            hint="`aws configure list-profiles` shows those there are.",
        ) from error
    except (BotoCoreError, ValueError) as error:  # ValueError: an endpoint that is no address
        raise WrongUsage(
            f"No client of {service} can be made: {_line(error)}.",
            hint="Are the region, AWS_ENDPOINT_URL… and the AWS configuration right?",
        ) from error
    reads_only = elsewhere not in (None, settings.region) and not writes
    s3 = partial(client, "s3", settings, attempts=1, elsewhere=here)
    guard.hold(made, settings, here, reads_only=reads_only, s3=s3)
    return made


def session(settings: Settings, here: str | None = None) -> Any:
    """Make a session of the environment's profile; what it makes itself is not guarded (`crime_jobs.guard`).

    Parameters
    ----------
    settings
        The settings.
    here
        Its region, by default the environment's.

    Returns
    -------
    boto3.session.Session
    """
    import boto3
    import botocore.session

    core = botocore.session.Session(profile=settings.profile)
    core.register_component("data_loader", _loader())
    return boto3.session.Session(botocore_session=core, region_name=here or region(settings))


@cache
def _loader() -> Any:
    """Return the one reader of the services' models: each is read from disk once, not for each client."""
    from botocore.loaders import create_loader

    return create_loader(os.environ.get("AWS_DATA_PATH"))


def bucket_region(bucket: str, settings: Settings) -> str | None:
    """Look where a bucket is.

    Parameters
    ----------
    bucket
        Its name.
    settings
        The settings.

    Returns
    -------
    str or None
        Its region; ``None`` where S3 does not say: no such bucket, or S3 can't be asked.
    """
    from botocore.exceptions import BotoCoreError

    from crime_jobs import guard
    from crime_jobs.errors import Elsewhere

    s3 = client("s3", settings, attempts=1)
    try:
        return guard.look(s3, bucket, here=region(settings)) or None
    except Elsewhere as error:
        return error.there
    except BotoCoreError:
        return None


def check_bucket(uri: str, settings: Settings, what: str) -> None:
    """Refuse a bucket in another region, for what does not speak through this module (Spark's S3A).

    Parameters
    ----------
    uri
        ``s3://bucket/prefix``.
    settings
        The settings.
    what
        What it is, for the message.

    Raises
    ------
    WrongUsage
        If it is in another region; both are named.
    """
    bucket, _ = split_uri(uri, what)
    there = bucket_region(bucket, settings)
    if there not in (None, settings.region):
        raise refused(f"{what.capitalize()} {uri}", str(there), settings)


def split_uri(uri: str, what: str, *, private: bool = False) -> tuple[str, str]:
    """Split an ``s3://`` URI.

    Parameters
    ----------
    uri
        ``s3://bucket/prefix``.
    what
        What it is, for the message.
    private
        Whether the message leaves it out: names of photographs are nobody's business.

    Returns
    -------
    tuple of str
        Bucket, and prefix without slashes around it.

    Raises
    ------
    WrongUsage
        If it is not one.
    """
    found = re.fullmatch(r"s3[an]?://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?", uri)
    if not found:
        told = what if private else f"{what} {uri!r}"
        raise WrongUsage(f"{told} is not an s3:// URI.", hint="It looks like s3://bucket/prefix.")
    return found[1], (found[2] or "").strip("/")


@contextmanager
def refusals(doing: str) -> Iterator[None]:
    """Turn what boto3 raises into a sentence that says what was refused, why, and what to do.

    Parameters
    ----------
    doing
        What was being done, as the start of the sentence: ``"Submitting clean_ncrb to j-1K48XXXXXXHCB"``.

    Raises
    ------
    AwsRefused
        If AWS refused it or can't be reached.
    WrongUsage
        If the request itself is not valid.
    """
    from botocore import exceptions as boto
    from botocore.parsers import ResponseParserError

    try:
        yield
    except boto.ClientError as error:
        raise _explained(error, doing) from error
    except (boto.NoCredentialsError, boto.PartialCredentialsError, boto.TokenRetrievalError) as error:
        raise AwsRefused(
            f"{doing}: there are no AWS credentials ({_line(error)}).",
            hint="Log in (`aws sso login`), or set AWS_PROFILE or AWS_ACCESS_KEY_ID.",
        ) from error
    except (boto.UnauthorizedSSOTokenError, boto.SSOTokenLoadError, boto.CredentialRetrievalError) as error:
        raise AwsRefused(f"{doing}: {_line(error)}.", hint="Log in again: `aws sso login`.") from error
    except boto.ParamValidationError as error:
        raise WrongUsage(
            f"{doing}: {_line(error)}.", hint="Correct the options, or the environment's section."
        ) from error
    except (boto.EndpointConnectionError, boto.ConnectionError, boto.HTTPClientError) as error:
        raise AwsRefused(
            f"{doing}: AWS can't be reached: {_line(error)}.",
            hint="Is the network up, and is the endpoint right (AWS_ENDPOINT_URL…)?",
        ) from error
    except (
        boto.BotoCoreError,
        ResponseParserError,
    ) as error:  # an answer that is none of AWS's, a login that can't be read …
        raise AwsRefused(f"{doing}: {_line(error)}.") from error


def code_of(error: ClientError) -> str:
    """Return the error code that the service gave."""
    return str(error.response.get("Error", {}).get("Code", ""))


def has_expired(error: BaseException) -> bool:
    """Tell whether an error, or what it was made from, says that credentials are no longer good."""
    from botocore.exceptions import ClientError

    cause = error.__cause__ if isinstance(error, CrimeJobsError) else error
    return isinstance(cause, ClientError) and code_of(cause) in _EXPIRED


def is_denied(error: ClientError) -> bool:
    """Tell whether a refusal says that a permission is lacking."""
    return code_of(error) in _DENIED


def may_be_repeated(error: BaseException) -> bool:
    """Tell whether a call may succeed when it is repeated: throttled, cut off, or AWS's own failure."""
    from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004

    error = error.__cause__ if isinstance(error, CrimeJobsError) and error.__cause__ else error
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return code_of(error) in _THROTTLED or status >= _SERVER_ERROR
    return isinstance(error, HTTPClientError | ConnectionError)


def _explained(error: ClientError, doing: str) -> CrimeJobsError:
    code, said = code_of(error), str(error.response.get("Error", {}).get("Message", ""))
    said = _KEY.sub(r"\1…", _line_of(said))  # S3 names the object, which may be somebody's photograph
    answer = error.response.get("ResponseMetadata", {})
    attempts = answer.get("RetryAttempts", 0) + 1
    hints = [
        (code in _EXPIRED, "The credentials are not, or no longer, good. Log in again: `aws sso login`."),
        (
            code in _DENIED,
            f"Whoever runs this needs the permission for {error.operation_name}; "
            "`aws sts get-caller-identity` says who that is.",
        ),
        (code in _THROTTLED, f"Given up after {attempts} attempts. Wait a little and run it again."),
        (code in _OTHER_REGION, "It is in another region: everything of an environment is in one."),
        (code in _NO_BUCKET, "Make it, or correct --artifacts, --logs or the environment's section."),
        (answer.get("HTTPStatusCode", 0) >= _SERVER_ERROR, f"AWS failed {attempts} times. Run it again."),
    ]
    hint = next((text for holds, text in hints if holds), "")
    return AwsRefused(f"{doing}: {said or 'refused'} ({error.operation_name}: {code}).", hint=hint)


def _line(error: BaseException) -> str:
    # botocore's words have whole addresses: of an object of S3 its key, which may name somebody.
    return _PATH.sub(r"\1\2", _line_of(str(error)))


def _line_of(text: str) -> str:
    return " ".join(text.split()).rstrip(".")
