"""Builds the dashboard: one file that a double click opens, with no server and no internet."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from crime_jobs.adhoc._answers import FIRS, ask_all, statements
from crime_jobs.adhoc._districts import districts
from crime_jobs.adhoc._payload import payload
from crime_jobs.adhoc._shapes import Drawing, read_shapes
from crime_jobs.adhoc._words import OK, count_checks, discrepancies, indian
from crime_jobs.errors import BadInput, JobFailed
from crime_jobs.files import write_whole

if TYPE_CHECKING:
    from crime_jobs.adhoc.asking import Asker

__all__ = ["Built", "ask_all", "build_dashboard", "pack", "render"]

_ASSETS = files(__package__) / "assets"
#: The page's script, in the order in which its parts use each other.
_SCRIPTS = (
    "base.js",
    "tools.js",
    "charts.js",
    "heat.js",
    "map.js",
    "places.js",
    "districts.js",
    "sections.js",
    "women.js",
    "compare.js",
    "traffic.js",
    "main.js",
)


@dataclass(frozen=True)
class Built:
    """What was built.

    Parameters
    ----------
    page
        The page's path.
    left_out
        A sentence for each part that the page is without, and why.
    """

    page: Path
    left_out: tuple[str, ...] = ()


def build_dashboard(asker: Asker, boundaries: Path | str, out: Path) -> Built:
    """Ask the named questions and build the page from their answers.

    Parameters
    ----------
    asker
        Who answers, see `crime_jobs.adhoc.askers.open_asker`.
    boundaries
        Path of the states' GeoJSON.
    out
        Folder to write to; made if it is missing.

    Returns
    -------
    Built
        With ``out/index.html``, replaced in one step: a reader sees the old page or the new one.

    Raises
    ------
    BadInput
        If a table or the boundaries are missing, can't be used, or know different states.
    AwsRefused
        If AWS refuses or can't be reached.
    JobFailed
        If a query failed, or the page can't be written.
    """
    answers, left_out = ask_all(asker)
    page = render(answers, boundaries, left_out, datetime.now(UTC))
    target = Path(out) / "index.html"
    try:
        write_whole(target, page)
    except OSError as error:
        raise JobFailed(
            f"The dashboard can't be written to {target.parent}: {error.strerror}.",
            hint="Choose another folder with --out.",
        ) from error
    return Built(target, tuple(left_out))


def render(
    answers: Mapping[str, pa.Table],
    boundaries: Path | str,
    left_out: Sequence[str] = (),
    asked_at: datetime | None = None,
) -> str:
    """Make the page's text; the same answers give the same text, byte for byte.

    Parameters
    ----------
    answers
        Question to its rows, see `ask_all`.
    boundaries
        Path of the states' GeoJSON.
    left_out
        Why the page has no FIRs, for readers of the page.
    asked_at
        When FIRs were counted; shown with them alone, as nothing else changes by the minute.

    Returns
    -------
    str
        A whole HTML document.

    Raises
    ------
    BadInput
        If the answers contradict each other, or the boundaries can't be used or know other states.
    """
    first = payload(answers)
    drawing = read_shapes(boundaries)
    _same_states(first["places"], drawing, boundaries)
    first |= {"statements": statements(), "firs": _firs(answers, asked_at)}
    script = "(async () => {\n'use strict';\n" + "".join(map(_asset, _SCRIPTS)) + "})();"
    style = _asset("page.css")
    environment = Environment(
        loader=FunctionLoader(_asset),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["indian"] = indian
    quality = answers["data_quality"]
    names = {place["code"]: place["name"] for place in first["places"]}
    counted = quality.group_by(["check_name", "status"]).aggregate([([], "count_all")])
    wrong = quality.filter(pc.not_equal(quality["status"], OK))
    return environment.get_template("page.html.j2").render(
        data=first,
        first=pack(first),
        more=pack(districts(answers, first)),
        left_out=left_out,
        drawing=drawing,
        checks=count_checks(counted.rename_columns(["check_name", "status", "count"]).to_pylist()),
        discrepancies=discrepancies(wrong.to_pylist(), names),
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own files
        policy=_policy(script, style),
    )


def pack(document: Any) -> str:
    """Write a document small, so that it can stand inside a ``<script>`` element.

    Parameters
    ----------
    document
        What `json.dumps` takes.

    Returns
    -------
    str
        JSON, deflated (RFC 1951, without a header) and in base64: no character of it is markup.
    """
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    squeeze = zlib.compressobj(level=9, wbits=-zlib.MAX_WBITS)
    squeezed = squeeze.compress(text.encode("utf-8")) + squeeze.flush()
    return base64.b64encode(squeezed).decode("ascii")


def _same_states(places: Sequence[Mapping[str, str]], drawing: Drawing, boundaries: Path | str) -> None:
    """Refuse a map that lacks a state of the tables, or has one that they don't know."""
    drawn = {shape.code for shape in drawing.shapes}
    counted = {place["code"] for place in places if place["level"] == "state"}
    for codes, said in (
        (counted - drawn, "are in table crime_by_region and not in the boundaries {}"),
        (drawn - counted, "are in the boundaries {} and not in table crime_by_region"),
    ):
        if codes:
            raise BadInput(
                f"The map and the tables know different states: {', '.join(sorted(codes))} "
                f"{said.format(boundaries)}.",
                hint="Give the boundaries of the same states with --boundaries, keyed by the same codes.",
            )


def _firs(answers: Mapping[str, pa.Table], asked_at: datetime | None) -> dict[str, Any] | None:
    if any(name not in answers for name in FIRS):
        return None
    asked = asked_at.isoformat(timespec="minutes") if asked_at else None
    return {"asked_at": asked} | {name: answers[name].to_pylist() for name in FIRS}


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _policy(script: str, style: str) -> str:
    """Say what the page may do: run and be styled by what is in it; no request at all."""

    def hashed(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    return (
        f"default-src 'none'; script-src {hashed(script)}; style-src {hashed(style)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
