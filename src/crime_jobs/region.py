"""Which region an ARN, a host, an endpoint or a service is in, and the sentence that refuses another one."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from crime_jobs.errors import Elsewhere

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crime_jobs.settings import Settings

#: A region's name, of any partition
#: (https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html).
NAME = r"(?:af|ap|ca|cn|eu|eusc|il|me|mx|sa|us)(?:-[a-z]+){1,2}-\d{1,2}"
_NAME = re.compile(NAME)

#: An ARN in a text: service, region and account
#: (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html).
ARN = re.compile(
    rf"arn:aws[\w-]*:(?P<service>[\w-]*):(?P<region>{NAME})?:(?P<account>\d{{12}})?:[\w/.:@+=,*-]{{0,200}}"
)
_URL = re.compile(r"https?://(?:[^\s/@]{0,255}@)?([a-z0-9.-]{1,255})", re.IGNORECASE)

#: Endings of AWS's own hosts; what ends otherwise (LocalStack, a proxy) names no region.
_SUFFIXES = (".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".api.aws", ".on.aws")

#: Services that have one endpoint for all regions, by boto3's name, and where that is in the partition
#: ``aws``; the other partitions' follow (https://docs.aws.amazon.com/general/latest/gr/rande.html, and
#: ``partitionEndpoint`` in botocore's ``endpoints.json``, which a test holds this against).
GLOBAL = dict.fromkeys(
    (
        *("account", "billingconductor", "budgets", "ce", "chime", "cloudfront", "cur", "health", "iam"),
        *("organizations", "route53", "route53domains", "savingsplans", "shield", "support", "waf"),
    ),
    "us-east-1",
) | {"globalaccelerator": "us-west-2", "networkmanager": "us-west-2"}
_GLOBAL_CN = {"iam": "cn-north-1", "support": "cn-north-1"}

#: The Price List answers in these, for all regions
#: (https://docs.aws.amazon.com/general/latest/gr/billing.html).
PRICING = ("us-east-1", "eu-central-1", "ap-south-1")

#: The first region of a partition: where its global endpoints are.
_US, _CHINA, _GOV = "us-east-1", "cn-northwest-1", "us-gov-west-1"

RULE = "Everything of an environment is in one region."


def is_region(text: str) -> bool:
    """Tell whether a text looks like a region's name, as ``ap-south-1`` does."""
    return _NAME.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def of_host(host: str) -> str | None:
    """Return the region that a host of AWS is in.

    Parameters
    ----------
    host
        Without scheme and port: ``kinesis.ap-south-1.amazonaws.com``, a VPC endpoint's
        ``vpce-….s3.ap-south-1.vpce.amazonaws.com``, ``s3-eu-west-1.amazonaws.com``.

    Returns
    -------
    str or None
        ``None`` where the host names none: not AWS's, or a global service's.
    """
    host = host.lower().rstrip(".")
    suffix = next((one for one in _SUFFIXES if host.endswith(one)), "")
    if not suffix:
        return None
    labels = host.removesuffix(suffix).split(".")
    # Before the label s3 stands a bucket's name, which may well be that of a region.
    first = max((at for at, label in enumerate(labels) if label == "s3" or label[:3] == "s3-"), default=0)
    for label in reversed(labels[first:]):
        if found := re.fullmatch(rf"(?:s3-(?:website-|fips-|control-)?)?({NAME})", label):
            return found[1]
    # The first S3 had no region in its name, and still means this one.
    return _US if labels[-1] == "s3" and suffix == ".amazonaws.com" else None


def of_url(url: str) -> str | None:
    """Return the region that an endpoint's URL names, or ``None``."""
    return of_host(urlsplit(url).hostname or "") if "//" in url else of_host(url.partition("/")[0])


def is_aws(url: str) -> bool:
    """Tell whether an endpoint is AWS's own, and not what stands before it or in for it."""
    return (urlsplit(url).hostname or "").lower().rstrip(".").endswith(_SUFFIXES)


def home_of(service: str, region: str) -> str:
    """Return where a service is called for an environment.

    Parameters
    ----------
    service
        As boto3 names it.
    region
        The environment's region.

    Returns
    -------
    str
        That region; for a service with one endpoint for all regions, that endpoint's.
    """
    if service == "pricing":
        return region if region in PRICING or region.startswith(("cn-", "us-gov-")) else PRICING[0]
    if service not in GLOBAL:
        return region
    if region.startswith("cn-"):
        return _GLOBAL_CN.get(service, _CHINA)
    return _GOV if region.startswith("us-gov-") else GLOBAL[service]


def arns_in(text: str) -> Iterator[re.Match[str]]:
    """Find the ARNs in a text."""
    return ARN.finditer(text) if "arn:" in text else iter(())


def hosts_in(text: str) -> Iterator[str]:
    """Find the hosts of the URLs in a text."""
    return (found[1] for found in _URL.finditer(text)) if "://" in text else iter(())


def refused(what: str, there: str, settings: Settings, hint: str = RULE) -> Elsewhere:
    """Return the error that names both regions.

    Parameters
    ----------
    what
        What is elsewhere, as the start of the sentence.
    there
        The region that it is in.
    settings
        The environment.
    hint
        What to do.

    Returns
    -------
    Elsewhere
        To be raised.
    """
    said = f"{what} is in region {there}, environment {settings.env!r} in {settings.region}."
    return Elsewhere(said, hint=hint, there=there)


def check_url(url: str, settings: Settings, what: str) -> None:
    """Refuse an endpoint in another region, for what does not speak through `crime_jobs.aws`.

    Parameters
    ----------
    url
        URL or host; one that names no region passes.
    settings
        The environment.
    what
        What names it, for the message: ``kinesisEndpoint``.

    Raises
    ------
    Elsewhere
        If it is in another region.
    """
    there = of_url(url)
    if there and settings.region and there != settings.region:
        raise refused(f"{what} {url}", there, settings)


def check_name(name: str, settings: Settings, what: str) -> None:
    """Refuse another region's name, for what does not speak through `crime_jobs.aws`.

    Parameters
    ----------
    name
        The region.
    settings
        The environment.
    what
        What names it, for the message.

    Raises
    ------
    Elsewhere
        If it is another one.
    """
    if settings.region and name != settings.region:
        raise refused(what, name, settings)
