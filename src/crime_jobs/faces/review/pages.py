"""What the page says: templates and their values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crime_jobs.errors import CrimeJobsError
from crime_jobs.faces import decisions
from crime_jobs.faces.review.desk import Desk, View
from crime_jobs.faces.review.photographs import NotShown, Shown
from crime_jobs.model.faces import Lead, Purpose

if TYPE_CHECKING:
    from crime_jobs.faces.review.guard import Session

#: What a purpose is called in a sentence.
PURPOSES = {
    Purpose.MISSING_PERSON: "to find a missing person",
    Purpose.UNIDENTIFIED_BODY: "to name an unidentified body",
    Purpose.CRIMINAL_INVESTIGATION: "a criminal investigation",
}

_WORDS = {
    "open": ("The review begins", "If nothing happens, follow this link.", True),
    "used": (
        "This address is used up",
        "The address that the terminal shows opens one browser, once. If that was not you, end the command "
        "with Ctrl-C and ask who else uses this machine. Else go on in the browser that it was opened in, "
        "or end the command and start it again.",
        False,
    ),
    "closed": (
        "This page is not open to you",
        "Open the whole address that the terminal shows, in one browser. An address without its token, or "
        "another browser, does not get in.",
        False,
    ),
    "nothing": ("There is nothing here", "Go back to where you came from.", False),
}


class Pages:
    """The page's texts.

    Parameters
    ----------
    desk
        What the reviewer works at.
    session
        Where its addresses begin.
    """

    def __init__(self, desk: Desk, session: Session) -> None:
        from jinja2 import Environment, PackageLoader, StrictUndefined

        self._desk, self._session = desk, session
        self._noted = ""
        self._templates = Environment(
            loader=PackageLoader("crime_jobs.faces.review", "assets"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def note(self, decided: Lead) -> None:
        """Have the next page say that a decision was recorded."""
        what = "accepted" if decided.state == "confirmed" else "rejected"
        self._noted = f"Recorded: {what}, by you, with your reason."

    def lead(self, view: View, *, wrong: str = "", form: dict[str, str] | None = None) -> str:
        """Return the page of a lead.

        Parameters
        ----------
        view
            What is shown.
        wrong
            What is wrong with the form that came.
        form
            What it had.

        Returns
        -------
        str
        """
        return self._render(
            "lead.html.j2",
            view=view,
            lead=view.lead,
            place=self._desk.place(view.lead.lead_id),
            pictures=[
                _picture("photograph", "Photograph", "the face that was found", view.photograph),
                _picture("enrolled", "Candidate", "the face it is like", view.enrolled),
            ],
            usual=decisions.USUAL,
            least=decisions.LEAST,
            most=decisions.MOST,
            wrong=wrong,
            form=form or {},
        )

    def empty(self) -> str:
        """Return the page that says that no lead waits."""
        return self._render("empty.html.j2", counts=self._desk.counts)

    def refused(self, error: CrimeJobsError, after: str | None) -> str:
        """Return the page that says why something could not be done.

        Parameters
        ----------
        error
            Why.
        after
            The lead to go on with.

        Returns
        -------
        str
        """
        return self._render("refused.html.j2", error=error, after=after)

    def words(self, which: str) -> str:
        """Return a page for somebody who is not in: it says nothing of leads.

        Parameters
        ----------
        which
            Of `_WORDS`.

        Returns
        -------
        str
        """
        title, text, goes_on = _WORDS[which]
        address = f"/{self._session.room}/" if goes_on else ""
        return self._templates.get_template("words.html.j2").render(title=title, text=text, address=address)

    def _render(self, name: str, **values: Any) -> str:
        noted, self._noted = self._noted, ""
        watch_list = self._desk.watch_list
        return self._templates.get_template(name).render(
            room=f"/{self._session.room}",
            who=self._desk.who,
            watch_list=watch_list.name,
            purpose=PURPOSES[watch_list.purpose],
            form_token=self._session.form,
            noted=noted,
            **values,
        )


def _picture(name: str, title: str, what: str, found: Shown | NotShown) -> dict[str, Any]:
    shown = found if isinstance(found, Shown) else None
    return {
        "name": name,
        "title": title,
        "what": what,
        "shown": shown,
        "why": found.why if isinstance(found, NotShown) else "",
    }
