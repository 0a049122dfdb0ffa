"""Why a lead is accepted or rejected: usual reasons to choose from, and the reviewer's own words. No I/O.

Both ways cost the same (a choice and a few words), so that the form itself speaks for neither.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import UTC
from types import MappingProxyType

from crime_jobs.errors import BadInput, CrimeJobsError, WrongUsage
from crime_jobs.model.faces import Lead

#: Characters of the words: enough to say what was seen, too few for a file on somebody.
LEAST, MOST = 10, 500

#: Zero width, and part of how Indian scripts are written.
_JOINERS = "\u200c\u200d"

#: By whether the lead is accepted: codes, which the audit's lines have, and what they mean.
USUAL: Mapping[bool, Mapping[str, str]] = MappingProxyType(
    {
        True: MappingProxyType(
            {
                "features-agree": "Features agree that light, pose and age don't explain (name them)",
                "marks-agree": "Lasting marks agree: scar, mole, ear (name them)",
                "beside-agrees": "Agrees with what is known beside the face (say where that stands)",
                "other": "Another reason (say which)",
            }
        ),
        False: MappingProxyType(
            {
                "features-differ": "Features differ that light, pose and age don't explain (name them)",
                "marks-differ": "Lasting marks differ: scar, mole, ear (name them)",
                "too-poor": "The pictures don't allow a comparison: blur, size, pose, covered",
                "no-face": "What is outlined is no face, or not of a person",
                "cannot-be": "Cannot be the person: age, date, place (say where that stands)",
                "picture-gone": "A photograph is gone or can't be shown",
                "other": "Another reason (say which)",
            }
        ),
    }
)


def reason(confirmed: bool, code: str, words: str) -> str:
    """Put a reason together.

    Parameters
    ----------
    confirmed
        Whether the lead is accepted.
    code
        One of `USUAL`.
    words
        The reviewer's own, `LEAST` to `MOST` characters.

    Returns
    -------
    str
        Code and words, as a lead keeps them.

    Raises
    ------
    WrongUsage
        If nothing, or nothing usable, was chosen or written.
    """
    if code not in USUAL[confirmed]:
        raise WrongUsage("No reason was chosen.", hint="Choose one of those listed.")
    said = " ".join("".join(map(_plain, words)).split())
    if sum(character not in f" {_JOINERS}" for character in said) < LEAST:
        raise WrongUsage(
            f"What was seen has to be said in at least {LEAST} characters.",
            hint="Name the features, not the person.",
        )
    if len(said) > MOST:
        raise WrongUsage(f"A reason has {MOST} characters at most.", hint="Shorten it.")
    return f"{code}: {said}"


def is_printable(text: str) -> bool:
    """Tell whether all of a text can be seen on one line, in any script.

    Parameters
    ----------
    text
        The text. Joiners of zero width are part of how Indian scripts are written, and may be in it.
    """
    return all(character.isprintable() or character in _JOINERS for character in text)


def _plain(character: str) -> str:
    """Make a space of what breaks a line or can't be seen: a reason is one line wherever it is shown."""
    is_control = unicodedata.category(character).startswith("C") and character not in _JOINERS
    return " " if is_control else character


def code_of(text: str) -> str:
    """Return a reason's code: what may stand where its words may not.

    Parameters
    ----------
    text
        As `reason` returns it; of any other text it is ``other``.
    """
    code = text.partition(":")[0]
    return code if any(code in usual for usual in USUAL.values()) else "other"


def refused(lead: Lead) -> CrimeJobsError:
    """Say what stood in the way of a decision.

    Parameters
    ----------
    lead
        The lead as it is now.

    Returns
    -------
    CrimeJobsError
        `WrongUsage` with who decided when, or `BadInput` if its person is off the list.
    """
    if lead.state == "pending":
        return BadInput(
            f"The lead {lead.lead_id} can't be decided on: its person was withdrawn, or the enrolment "
            "has expired.",
            hint="It goes from the queue by itself. Nothing was recorded.",
        )
    at = lead.decided_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if lead.decided_at else "?"
    return WrongUsage(
        f"The lead {lead.lead_id} is {lead.state} already, by {lead.decided_by} at {at}.",
        hint="Your decision was not recorded. Speak with whoever decided if you see it otherwise.",
    )
