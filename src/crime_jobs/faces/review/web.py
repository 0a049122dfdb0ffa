"""The page's addresses, and what each answers: a thin shell around `crime_jobs.faces.review.desk.Desk`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from crime_jobs.errors import AwsRefused, BadInput, CrimeJobsError, WrongUsage
from crime_jobs.faces import decisions
from crime_jobs.faces.review.desk import Desk
from crime_jobs.faces.review.guard import HOSTS, Session, WithHeaders
from crime_jobs.faces.review.pages import Pages
from crime_jobs.faces.review.photographs import Shown

#: Files of the page that are no secret, by name: nothing else of the disk can be asked for.
_ASSETS = {"review.css": "text/css", "review.js": "text/javascript", "icon.svg": "image/svg+xml"}
#: Bytes of a form: a reason of `crime_jobs.faces.decisions.MOST` characters, in any script, fits.
_LARGEST_FORM = 32 * 1024

_STATUS: dict[type[CrimeJobsError], int] = {BadInput: 404, WrongUsage: 409, AwsRefused: 502}

Answer = Callable[[Request], Any]


def app_of(desk: Desk, session: Session, tell: Callable[[str], None]) -> Starlette:
    """Return the page as an ASGI application.

    Parameters
    ----------
    desk
        What the reviewer works at.
    session
        Who may.
    tell
        Called with a sentence if something failed that should not: for the terminal.

    Returns
    -------
    Starlette
    """
    web = _Web(desk, session, tell)
    room = f"/{session.room}"
    routes = [
        Route("/", web.shut),
        _only_get("/open", web.enter),  # a HEAD, as link previews send, does not use up the token
        Route("/assets/{name}", web.asset),
        Route(f"{room}/", web.inside(web.start)),
        Route(f"{room}/lead/{{lead_id}}", web.inside(web.lead)),
        Route(f"{room}/lead/{{lead_id}}/decision", web.inside(web.decide), methods=["POST"]),
        Route(f"{room}/lead/{{lead_id}}/{{which}}.jpg", web.inside(web.picture)),
    ]
    middleware = [
        Middleware(WithHeaders),
        Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS, www_redirect=False),
    ]
    return Starlette(
        routes=routes, middleware=middleware, exception_handlers={404: web.nothing, 405: web.nothing}
    )


class _Web:
    def __init__(self, desk: Desk, session: Session, tell: Callable[[str], None]) -> None:
        self._desk, self._session, self._tell = desk, session, tell
        self._pages = Pages(desk, session)
        folder = files("crime_jobs.faces.review") / "assets"
        self._assets = {name: (folder / name).read_bytes() for name in _ASSETS}

    # Before the door.

    async def shut(self, _request: Request) -> Response:
        return self._words("closed", 403)

    async def nothing(self, _request: Request, error: Exception) -> Response:
        return self._words("nothing", getattr(error, "status_code", 404))

    async def enter(self, request: Request) -> Response:
        if not self._session.enter(request.query_params.get("token", "")):
            return self._words("used", 403)
        # Not a redirect: a cookie that is strict about its site goes along only if the page itself goes on.
        response = self._words("open", 200)
        self._session.give_cookie(response)
        return response

    async def asset(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._assets:
            return self._words("nothing", 404)
        return Response(self._assets[name], media_type=_ASSETS[name])

    def inside(self, answer: Answer) -> Answer:
        """Let only those in who have the cookie, and put what goes wrong into words."""

        @wraps(answer)
        async def guarded(request: Request) -> Response:
            if not self._session.knows(request):
                return self._words("closed", 403)
            try:
                found: Response = await answer(request)
            except CrimeJobsError as error:
                return self._refused(request, error)
            except Exception as error:  # noqa: BLE001 - a page in words; what was shown may be in the error
                at = error.__traceback__
                while at and at.tb_next:
                    at = at.tb_next
                where = f"{at.tb_frame.f_code.co_filename}:{at.tb_lineno}" if at else "?"
                self._tell(f"A defect: {type(error).__name__} at {where}. The page goes on.")
                return self._refused(request, CrimeJobsError("The page itself failed.", hint="Try it again."))
            return found

        return guarded

    # Inside.

    async def start(self, _request: Request) -> Response:
        first = await run_in_threadpool(self._desk.first)
        if first is None:
            return HTMLResponse(self._pages.empty())
        return RedirectResponse(f"/{self._session.room}/lead/{first}", 303)

    async def lead(self, request: Request) -> Response:
        view = await run_in_threadpool(self._desk.look, request.path_params["lead_id"])
        return HTMLResponse(self._pages.lead(view))

    async def picture(self, request: Request) -> Response:
        view = await run_in_threadpool(self._desk.look, request.path_params["lead_id"])
        name, _, part = str(request.path_params["which"]).partition("-")
        found = {"photograph": view.photograph, "enrolled": view.enrolled}.get(name)
        if not isinstance(found, Shown) or part not in ("", "face"):
            return self._words("nothing", 404)
        content = found.face if part else found.whole
        if content is None:
            return self._words("nothing", 404)
        return Response(content, media_type="image/jpeg")

    async def decide(self, request: Request) -> Response:
        form = await _form(request)
        if not self._session.wrote(request, form.get("form", "")):
            return self._words("closed", 403)
        lead_id = request.path_params["lead_id"]
        try:
            confirmed, reason = _decision(form)
        except WrongUsage as error:
            return await self._not_yet(request, error, form)
        place = self._desk.place(lead_id)
        decided = await run_in_threadpool(self._desk.decide, lead_id, confirmed, reason)
        self._pages.note(decided)
        next_one = f"/{self._session.room}/" + (f"lead/{place.after}" if place.after else "")
        return JSONResponse({"next": next_one}) if _wants_json(request) else RedirectResponse(next_one, 303)

    async def _not_yet(self, request: Request, error: WrongUsage, form: dict[str, str]) -> Response:
        if _wants_json(request):
            return JSONResponse({"error": str(error)}, 422)
        view = await run_in_threadpool(self._desk.look, request.path_params["lead_id"])
        return HTMLResponse(self._pages.lead(view, wrong=str(error), form=form), 422)

    def _refused(self, request: Request, error: CrimeJobsError) -> Response:
        status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 500)
        after = self._desk.place(request.path_params.get("lead_id", "")).after
        if _wants_json(request):
            return JSONResponse({"error": str(error), "over": status in (404, 409)}, status)
        return HTMLResponse(self._pages.refused(error, after), status)

    def _words(self, which: str, status: int) -> Response:
        return HTMLResponse(self._pages.words(which), status)


def _only_get(path: str, answer: Answer) -> Route:
    """Return a route without the HEAD that Starlette adds to each GET."""
    route = Route(path, answer, methods=["GET"])
    route.methods = {"GET"}
    return route


def _wants_json(request: Request) -> bool:
    return request.headers.get("accept") == "application/json"


def _decision(form: dict[str, str]) -> tuple[bool, str]:
    """Read what was decided, and why."""
    verdict = form.get("verdict")
    if verdict not in ("accept", "reject"):
        raise WrongUsage("It was neither accepted nor rejected.")
    if verdict == "accept" and form.get("compared") != "yes":
        raise WrongUsage("To accept, tick that you compared both photographs.")
    confirmed = verdict == "accept"
    return confirmed, decisions.reason(confirmed, form.get("code", ""), form.get("words", ""))


async def _form(request: Request) -> dict[str, str]:
    """Read a form as browsers write it: no more of it than one can be."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST_FORM:
            raise WrongUsage("That is more than a form of this page can be.")
    try:
        pairs = parse_qs(body.decode("ascii"), max_num_fields=10, errors="strict")
    except ValueError:
        raise WrongUsage("That is no form of this page.") from None
    return {name: values[-1] for name, values in pairs.items()}
