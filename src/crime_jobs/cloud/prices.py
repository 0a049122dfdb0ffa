"""What things cost in us-east-1, as AWS lists it; on demand, without free tiers, discounts and taxes.

Other regions cost up to twice as much. A list of prices, not a bill: it says what is worth removing.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Hours of a month as AWS's calculator has them.
HOURS = 730
GB = 1024**3
#: When the prices were written down here, by hand. AWS lowers and raises them: its page is what holds.
AS_OF = "2026-11-24"


@dataclass(frozen=True)
class Price:
    """A price of AWS's.

    Parameters
    ----------
    usd
        US dollars a unit.
    unit
        Of what.
    page
        The AWS page that lists it.
    """

    usd: float
    unit: str
    page: str


@dataclass(frozen=True)
class Cost:
    """What something costs a month.

    Parameters
    ----------
    usd
        US dollars; ``None`` where it depends on use, or nothing here knows.
    based_on
        What that is based on.
    """

    usd: float | None
    based_on: str


UNPRICED = Cost(None, "unknown")

PRICES = {
    "s3": Price(0.023, "GB and month, Standard, the first 50 TB", "https://aws.amazon.com/s3/pricing/"),
    "dynamodb": Price(0.25, "GB and month, Standard", "https://aws.amazon.com/dynamodb/pricing/on-demand/"),
    "dynamodb backup": Price(
        0.20, "GB and month, point in time", "https://aws.amazon.com/dynamodb/pricing/on-demand/"
    ),
    "read unit": Price(0.00013, "unit and hour", "https://aws.amazon.com/dynamodb/pricing/provisioned/"),
    "write unit": Price(0.00065, "unit and hour", "https://aws.amazon.com/dynamodb/pricing/provisioned/"),
    "shard": Price(0.015, "shard and hour", "https://aws.amazon.com/kinesis/data-streams/pricing/"),
    "on-demand stream": Price(
        0.04, "stream and hour", "https://aws.amazon.com/kinesis/data-streams/pricing/"
    ),
    "kms key": Price(1.0, "key and month", "https://aws.amazon.com/kms/pricing/"),
    "secret": Price(0.40, "secret and month", "https://aws.amazon.com/secrets-manager/pricing/"),
    "logs": Price(0.03, "GB and month", "https://aws.amazon.com/cloudwatch/pricing/"),
    "alarm": Price(0.10, "metric and month", "https://aws.amazon.com/cloudwatch/pricing/"),
    "dashboard": Price(3.0, "dashboard and month", "https://aws.amazon.com/cloudwatch/pricing/"),
    "nat": Price(0.045, "gateway and hour", "https://aws.amazon.com/vpc/pricing/"),
    "ipv4": Price(0.005, "public IPv4 address and hour", "https://aws.amazon.com/vpc/pricing/"),
    "vpc endpoint": Price(0.01, "zone and hour", "https://aws.amazon.com/privatelink/pricing/"),
    "gp3": Price(0.08, "GB and month", "https://aws.amazon.com/ebs/pricing/"),
    "gp2": Price(0.10, "GB and month", "https://aws.amazon.com/ebs/pricing/"),
    "snapshot": Price(0.05, "GB and month, Standard", "https://aws.amazon.com/ebs/pricing/"),
    "rds gp3": Price(0.115, "GB and month, one zone", "https://aws.amazon.com/rds/oracle/pricing/"),
    "rds snapshot": Price(0.095, "GB and month", "https://aws.amazon.com/rds/oracle/pricing/"),
    "dms gp2": Price(0.115, "GB and month, one zone", "https://aws.amazon.com/dms/pricing/"),
    "redshift": Price(0.024, "GB and month", "https://aws.amazon.com/redshift/pricing/"),
    "flink": Price(0.11, "KPU and hour", "https://aws.amazon.com/managed-service-apache-flink/pricing/"),
    "face": Price(0.00001, "face and month", "https://aws.amazon.com/rekognition/pricing/"),
}

#: US dollars an hour of EC2 on demand, and what EMR adds (https://aws.amazon.com/ec2/pricing/on-demand/,
#: https://aws.amazon.com/emr/pricing/).
MACHINES = {
    "m5.xlarge": (0.192, 0.048),
    "m5.2xlarge": (0.384, 0.096),
    "m6i.xlarge": (0.192, 0.048),
    "m6g.xlarge": (0.154, 0.0385),
    "m7g.xlarge": (0.1632, 0.0408),
    "r5.xlarge": (0.252, 0.063),
    "c5.xlarge": (0.17, 0.0425),
}

#: US dollars an hour of a DMS instance in one zone (https://aws.amazon.com/dms/pricing/).
DMS = {"dms.t3.micro": 0.018, "dms.t3.small": 0.036, "dms.t3.medium": 0.073, "dms.t3.large": 0.146}


def monthly(name: str, amount: float, hours: float = 1, of: str = "") -> Cost:
    """Return what an amount costs a month.

    Parameters
    ----------
    name
        A price of `PRICES`.
    amount
        How many units.
    hours
        `HOURS` where the price is that of an hour.
    of
        What is counted, where the unit does not say it.

    Returns
    -------
    Cost
    """
    price = PRICES[name]
    what = f"{amount:,.10g}" if amount >= 100 or amount == int(amount) else f"{amount:.2g}"  # noqa: PLR2004
    return Cost(
        round(price.usd * amount * hours, 4),
        f"{what} {of or price.unit.partition(' and ')[0]} at {price.usd:.10g} a {price.unit}",
    )


def by_use(what: str) -> Cost:
    """Return the cost of what is paid by use.

    Parameters
    ----------
    what
        What is counted, for example ``requests``.

    Returns
    -------
    Cost
    """
    return Cost(None, f"unknown: by use ({what})")


def free(why: str = "no charge of its own") -> Cost:
    """Return the cost of what has none."""
    return Cost(0.0, why)


def added(*costs: Cost) -> Cost:
    """Return the sum of costs; unknown where one is."""
    known = [cost.usd for cost in costs if cost.usd is not None]
    whole = len(known) == len(costs)
    return Cost(round(sum(known), 4) if whole else None, "; ".join(cost.based_on for cost in costs))


def machines(counts: dict[str, int]) -> Cost:
    """Return what a cluster's machines cost while they run: EC2 and EMR, without disks.

    Parameters
    ----------
    counts
        How many there are of an instance type.

    Returns
    -------
    Cost
    """
    unknown = sorted(set(counts) - set(MACHINES))
    if unknown:
        return Cost(None, f"unknown: no price of {', '.join(unknown)} here")
    usd = sum(sum(MACHINES[name]) * count for name, count in counts.items()) * HOURS
    shown = ", ".join(f"{count} {name}" for name, count in counts.items())
    return Cost(round(usd, 2), f"{shown}, EC2 on demand and EMR, running all month")
