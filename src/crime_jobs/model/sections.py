"""Reads a table of an environment's section into its model, and says what in it can't be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from crime_jobs.errors import WrongUsage

M = TypeVar("M", bound=BaseModel)


def read_table(
    model: type[M],
    name: str,
    table: Mapping[str, Any],
    hint: str = "Correct the environment's section.",
) -> M:
    """Read a table of an environment.

    Parameters
    ----------
    model
        What may stand in it.
    name
        The table's name, for the message.
    table
        What stands in it.
    hint
        What to do about it; options may have come to what stands there.

    Returns
    -------
    M

    Raises
    ------
    WrongUsage
        If it has a name that nothing is called by, or a value that can't be.
    """
    try:
        return model.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join((name, *map(str, first["loc"])))
        said = first["msg"].removeprefix("Value error, ")
        raise WrongUsage(f"crime-jobs.toml: {where}: {said}.", hint=hint) from error
