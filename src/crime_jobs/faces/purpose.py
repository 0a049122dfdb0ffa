"""What faces may be compared for, and by what: AWS's terms bar some of it for Rekognition."""

from __future__ import annotations

from crime_jobs.errors import WrongUsage
from crime_jobs.faces.audit import Audit
from crime_jobs.faces.engine import Identity
from crime_jobs.model.faces import Purpose, WatchList

#: The AWS Service Terms, on Rekognition.
TERMS = "https://aws.amazon.com/service-terms/"

#: AWS's guidance for public safety, which refers to the terms and asks for trained people who review.
GUIDANCE = "https://docs.aws.amazon.com/rekognition/latest/dg/considerations-public-safety-use-cases.html"

#: Barred by the terms: "use of Amazon Rekognition's face comparison feature by police departments in
#: connection with criminal investigations"; they except "to help identify or locate missing persons".
BARRED = frozenset({Purpose.CRIMINAL_INVESTIGATION})


def check(purpose: Purpose, identity: Identity) -> None:
    """Refuse a purpose that the terms of whoever answers bar.

    Only an engine that says it is one's own, at an address that is none of AWS's, may be used for such a
    purpose: one that can't be told is refused.

    Parameters
    ----------
    purpose
        What for.
    identity
        Who answers, as it was asked.

    Raises
    ------
    WrongUsage
        If it is barred; with the source, and the way out.
    """
    if purpose not in BARRED or identity.on_premises:
        return
    who = (
        "Rekognition"
        if identity.name == "rekognition"
        else "an engine that does not say who it is, and may be Rekognition"
    )
    raise WrongUsage(
        f"{who} is not used for the purpose {purpose}: AWS's terms bar police departments from its face "
        f"comparison in connection with criminal investigations ({TERMS}; guidance: {GUIDANCE}). "
        "No picture was sent.",
        hint="Use the engine of your own: set AWS_ENDPOINT_URL_REKOGNITION to its address and engine = "
        '"on-premises" in the environment\'s faces table (docs/faces.md).',
    )


def demand(purpose: Purpose, identity: Identity, audit: Audit, watch_list: str) -> None:
    """Refuse a barred purpose as `check` does, and put it on record that somebody asked.

    Parameters
    ----------
    purpose, identity
        As for `check`.
    audit
        Where it is put on record.
    watch_list
        Name of the list; nothing where none is asked.

    Raises
    ------
    WrongUsage
        If it is barred.
    """
    try:
        check(purpose, identity)
    except WrongUsage:
        audit.write("refused", watch_list=watch_list, purpose=purpose.value, engine=identity.name)
        raise


def check_same(watch_list: WatchList, purpose: Purpose) -> None:
    """Refuse to use a watch list for something that it was not made for.

    Parameters
    ----------
    watch_list
        The list.
    purpose
        What it is to be used for.

    Raises
    ------
    WrongUsage
        If the list has another purpose.
    """
    if watch_list.purpose != purpose:
        raise WrongUsage(
            f"The watch list {watch_list.name} is for {watch_list.purpose}, not for {purpose}.",
            hint="People are on a list for one purpose: enrol those of another in a list of its own.",
        )


def demand_same(watch_list: WatchList, purpose: Purpose, audit: Audit) -> None:
    """Refuse another purpose as `check_same` does, and put it on record that somebody asked.

    Parameters
    ----------
    watch_list, purpose
        As for `check_same`.
    audit
        Where it is put on record.

    Raises
    ------
    WrongUsage
        If the list has another purpose.
    """
    try:
        check_same(watch_list, purpose)
    except WrongUsage:
        audit.write("refused", watch_list=watch_list.name, purpose=purpose.value, engine=watch_list.engine)
        raise


def check_engine(watch_list: WatchList, identity: Identity, *, same_version: bool = True) -> None:
    """Refuse an engine whose embeddings can't be compared with those of a watch list.

    Parameters
    ----------
    watch_list
        The list.
    identity
        Who answers.
    same_version
        Whether the version matters too: faces can be removed by another, not compared.

    Raises
    ------
    WrongUsage
        If its name or version is another.
    """
    there, here = (watch_list.engine, watch_list.engine_version), (identity.name, identity.version)
    if there[0] != here[0] or (same_version and here[1] and there[1] != here[1]):
        raise WrongUsage(
            f"The faces of the watch list {watch_list.name} were made by {' '.join(there)}; "
            f"{' '.join(here).strip()} answers, which has not got them, or can't compare them.",
            hint="Is AWS_ENDPOINT_URL_REKOGNITION right? If the engine is a new one, enrol the manifest in "
            "a new watch list.",
        )
