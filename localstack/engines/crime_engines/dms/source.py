"""Where an Oracle endpoint leads here: the one place that knows that the old Oracle is another database."""

from __future__ import annotations

import json
import re
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

#: ``jdbc:h2:tcp://127.0.0.1:6566/./crime;MODE=Oracle`` and ``jdbc:oracle:thin:@//host:1521/ORCL``.
_URL = re.compile(
    r"(?P<driver>jdbc:[^/]+//)(?P<host>[^:/;?]+):(?P<port>\d+)(?P<folder>/(?:\./)?)(?P<database>[^;?/]+)(?P<rest>.*)"
)


class Unreachable(Exception):  # noqa: N818 - reads as what it is
    """An endpoint leads nowhere; the message says why."""


def check_url(url: str) -> str:
    """Return the URL of the database that stands for Oracle, if it is one that can be changed.

    Parameters
    ----------
    url
        A JDBC URL with host, port and database.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If it is none.
    """
    if not _URL.fullmatch(url):
        raise ValueError(f"{url!r} is not a JDBC URL of the form jdbc:…//HOST:PORT/DATABASE")
    return url


def url_for(url: str, secret: dict[str, Any], database: str) -> str:
    """Return the JDBC URL of an endpoint.

    Parameters
    ----------
    url
        That of the database that stands for Oracle.
    secret
        What the endpoint's secret holds: ``host`` and ``port``, if it says where the database is.
    database
        The endpoint's database; another spelling of the URL's is that.

    Returns
    -------
    str
    """
    found = _URL.fullmatch(url)
    assert found is not None  # noqa: S101 - `check_url` was asked
    host, port = secret.get("host") or found["host"], secret.get("port") or found["port"]
    name, rest = found["database"], found["rest"]
    if database.casefold() != name.casefold():
        name, rest = database, re.sub(r";SCHEMA=\w+", "", rest)  # that schema is the other database's
    return f"{found['driver']}{host}:{port}{found['folder']}{name}{rest}"


def read_secret(client: Any, name: str) -> dict[str, Any]:
    """Read the secret of an endpoint.

    Parameters
    ----------
    client
        A boto3 client of Secrets Manager.
    name
        Its name or ARN.

    Returns
    -------
    dict

    Raises
    ------
    Unreachable
        If it can't be read, or lacks what is needed.
    """
    try:
        found = json.loads(client.get_secret_value(SecretId=name).get("SecretString", ""))
    except (ClientError, BotoCoreError) as error:
        code = getattr(error, "response", {}).get("Error", {}).get("Code", type(error).__name__)
        raise Unreachable(f"Unable to retrieve the secret {name}: {code}") from error
    except ValueError as error:
        raise Unreachable(f"The secret {name} is not JSON") from error
    if not isinstance(found, dict) or not {"username", "password"} <= found.keys():
        raise Unreachable(f"The secret {name} must have username and password")
    if not str(found.get("port", "1")).isdigit() or re.search(r"[^\w.-]", str(found.get("host", ""))):
        raise Unreachable(f"Host or port in the secret {name} are none")
    return found
