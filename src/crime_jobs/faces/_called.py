"""What a watch list and its collection are called."""

from __future__ import annotations

import re

from crime_jobs.errors import WrongUsage
from crime_jobs.model.faces import NAME, FaceSettings

#: What begins the names of our collections.
COLLECTION = "crime-jobs-"


def collection_of(name: str, faces: FaceSettings) -> str:
    """Return the name of a new watch list's collection.

    Parameters
    ----------
    name
        The list.
    faces
        What the environment says. Two environments of one account and region have other tables, and so must
        have other collections: what one enrols, the other would take for faces that nobody tells of.

    Returns
    -------
    str
    """
    table = faces.people_table
    is_usual = table == FaceSettings.model_fields["people_table"].default
    return f"{COLLECTION}{name}" if is_usual else f"{COLLECTION}{table}.{name}"


def check_name(name: str) -> None:
    """Refuse a name that no watch list can have.

    Parameters
    ----------
    name
        The name.

    Raises
    ------
    WrongUsage
        If it can't be one.
    """
    if not re.fullmatch(NAME, name):
        raise WrongUsage(
            f"A watch list is not called {name!r}.",
            hint="Small letters, digits and -, at most 63, no - at the beginning: missing.",
        )
