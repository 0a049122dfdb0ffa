"""Tables of DynamoDB for one test or benchmark alone, of the shape that they have on AWS."""

from __future__ import annotations

from typing import Any

from crime_jobs.cloud import stacks_template

#: What of a table's properties is its shape; the rest protects it, and names it.
SHAPE = ("AttributeDefinitions", "KeySchema", "BillingMode", "GlobalSecondaryIndexes")


def shape(stream: str, resource: str) -> dict[str, Any]:
    """Return a table's attributes, keys and indexes, as its template says them.

    Parameters
    ----------
    stream
        The template's stream: ``firs``.
    resource
        The table's name in it: ``Alerts``.

    Returns
    -------
    dict
        Members of ``CreateTable``
        (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html).
    """
    said = stacks_template.load(stream).resources[resource]["Properties"]
    return {name: said[name] for name in SHAPE if name in said}


def make(client: Any, name: str, stream: str, resource: str) -> None:
    """Make a table.

    Parameters
    ----------
    client
        Of DynamoDB.
    name
        The table's name.
    stream, resource
        As for `shape`.
    """
    client.create_table(TableName=name, **shape(stream, resource))
