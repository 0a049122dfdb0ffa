"""What a run that was killed has left: faces that their rows tell of, and faces that nobody tells of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from crime_jobs.faces.engine import Engine, external_id, person_of
from crime_jobs.faces.people import People, Person, State
from crime_jobs.model.faces import WatchList


@dataclass(frozen=True)
class Reconciled:
    """What was found and set right.

    Parameters
    ----------
    adopted
        Faces whose id was put into the row that tells of them.
    orphans
        Faces that no row tells of, and that were removed.
    lost
        Faces whose row has an id that the collection has not: enrolled anew.
    """

    adopted: int = 0
    orphans: int = 0
    lost: int = 0


def reconcile(
    engine: Engine, people: People, watch_list: WatchList, changing: Callable[[], dict[str, Any]]
) -> Reconciled:
    """Bring rows and collection together.

    Parameters
    ----------
    engine, people
        Where they are.
    watch_list
        Which.
    changing
        Returns what is written with a row that is changed: that the list is. With an adopted face it is
        another one, and photographs that were matched before are to be matched again.

    Returns
    -------
    Reconciled
    """
    # First the collection: of a face that is there, the row was written before.
    there: dict[str, list[str]] = {}
    for face in engine.faces(watch_list.collection):
        if person_of(face.external_id):
            there.setdefault(face.external_id, []).append(face.face_id)
    adopted = lost = 0
    for person in people.everyone(watch_list.name):
        if person.state is not State.ACTIVE:
            continue  # what is there of him goes
        found, missing, mended = _mended(person, there)
        if mended != person:
            people.save(
                mended, changing()
            )  # if somebody else has changed it in the meantime, he looks after it
        adopted, lost = adopted + found, lost + missing
    orphans = [face for ids in there.values() for face in ids]
    engine.delete_faces(watch_list.collection, orphans)
    return Reconciled(adopted, len(orphans), lost)


def _mended(person: Person, there: dict[str, list[str]]) -> tuple[int, int, Person]:
    """Take a person's faces out of what is there; count ids that the row lacked, and faces not there."""
    adopted, lost, faces = 0, 0, []
    for face in person.faces:
        ids = there.get(external_id(person.person_id, face.digest), [])
        if face.face_id in ids:
            ids.remove(face.face_id)
            faces.append(face)
        elif ids:
            adopted += 1
            faces.append(replace(face, face_id=ids.pop(0)))
        else:
            lost += bool(face.face_id)
    return adopted, lost, replace(person, faces=tuple(faces))
