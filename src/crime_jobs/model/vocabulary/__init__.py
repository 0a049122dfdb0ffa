"""The vocabularies as they stand in this folder's CSV and TOML files, read once."""

from __future__ import annotations

import csv
import tomllib
from importlib.resources import files
from typing import Any


def read_csv(name: str) -> list[dict[str, str]]:
    """Read one of this package's CSV files.

    Parameters
    ----------
    name
        File name in this folder, for example ``states.csv``.

    Returns
    -------
    list of dict
        One dictionary a row, keyed by the header.
    """
    text = (files(__package__) / name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def read_toml(name: str) -> dict[str, Any]:
    """Read one of this package's TOML files.

    Parameters
    ----------
    name
        File name in this folder, for example ``crime_groups.toml``.

    Returns
    -------
    dict
        The parsed document.
    """
    return tomllib.loads((files(__package__) / name).read_text(encoding="utf-8"))
