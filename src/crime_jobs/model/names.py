"""What an environment calls what each has: as the first one does, or with its own name before it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from crime_jobs.errors import WrongUsage

#: What the names of the first environment's parts begin with; the jobs expect them by default.
FIRST = "crime-jobs"
#: The database of the tables in the Glue catalogue and in Hive.
DATABASE = "crime"
#: The DynamoDB table that knows of migrations and exports.
LEDGER = "crime-jobs-migrations"
#: A name in the Glue catalogue: what Athena, Hive and Spark take without quotes
#: (https://docs.aws.amazon.com/athena/latest/ug/tables-databases-columns-names.html).
CATALOGUE_NAME = r"^[a-z_][a-z0-9_]{0,127}$"


def name_of(deploy: Mapping[str, Any]) -> str:
    """Return what the names of an environment's parts begin with.

    Parameters
    ----------
    deploy
        The table ``deploy`` of its section.

    Returns
    -------
    str
        ``deploy.name``, or that of the first environment.
    """
    return str(deploy.get("name") or FIRST)


def database_of(sql: Mapping[str, Any]) -> str:
    """Return the database of an environment's tables, as Athena, Hive and Hue are told it.

    Parameters
    ----------
    sql
        The table ``sql`` of its section; `crime-jobs deploy` writes the name there.

    Returns
    -------
    str

    Raises
    ------
    WrongUsage
        If it can't be a database's name: it stands in statements as it is.
    """
    found = str(sql.get("database") or DATABASE)
    if not re.fullmatch(CATALOGUE_NAME, found):
        raise WrongUsage(
            f"{found!r} can't be the name of a database.",
            hint="Small letters, digits and _, no digit first: correct sql.database of crime-jobs.toml.",
        )
    return found
