"""Builds the dashboard: one file that a double click opens, with no server and no internet."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from crime_jobs.adhoc._marts import MARTS, read_marts
from crime_jobs.adhoc._payload import payload
from crime_jobs.adhoc._shapes import read_shapes
from crime_jobs.adhoc._words import OK, count_checks, discrepancies, indian
from crime_jobs.errors import JobFailed

__all__ = ["MARTS", "build_dashboard", "read_marts", "render"]

_ASSETS = files(__package__) / "assets"
#: The page's script, in the order in which its parts use each other.
_SCRIPTS = ("base.js", "charts.js", "map.js", "sections.js", "main.js")


def build_dashboard(lake: str, boundaries: Path | str, out: Path) -> Path:
    """Build the page from the lake's marts.

    Parameters
    ----------
    lake
        The lake's folder or URI, see `read_marts`.
    boundaries
        Path of the states' GeoJSON.
    out
        Folder to write to; made if it is missing.

    Returns
    -------
    Path
        ``out/index.html``, replaced in one step: a reader sees the old page or the new one.

    Raises
    ------
    BadInput
        If a table or the boundaries are missing or can't be used.
    AwsRefused
        If the lake is on S3 and can't be reached.
    JobFailed
        If the page can't be written.
    """
    page = render(read_marts(lake), boundaries)
    target = Path(out) / "index.html"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".index-", suffix=".html")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                file.write(page)
            Path(name).chmod(0o644)
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise JobFailed(
            f"The dashboard can't be written to {target.parent}: {error.strerror}.",
            hint="Choose another folder with --out.",
        ) from error
    return target


def render(marts: Mapping[str, pa.Table], boundaries: Path | str) -> str:
    """Make the page's text; the same tables give the same text, byte for byte.

    Parameters
    ----------
    marts
        See `read_marts`.
    boundaries
        Path of the states' GeoJSON.

    Returns
    -------
    str
        A whole HTML document.

    Raises
    ------
    BadInput
        If the tables contradict each other or the boundaries can't be used.
    """
    data = payload(marts)
    script = "(() => {\n'use strict';\n" + "".join(map(_asset, _SCRIPTS)) + "})();"
    style = _asset("page.css")
    environment = Environment(
        loader=FunctionLoader(_asset),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.filters["indian"] = indian
    quality = marts["data_quality"]
    names = {place["code"]: place["name"] for place in data["places"]}
    counted = quality.group_by(["check_name", "status"]).aggregate([([], "count_all")])
    wrong = quality.filter(pc.not_equal(quality["status"], OK))
    return environment.get_template("page.html.j2").render(
        data=data,
        json=embed(data),
        drawing=read_shapes(boundaries),
        checks=count_checks(counted.rename_columns(["check_name", "status", "count"]).to_pylist()),
        discrepancies=discrepancies(wrong.to_pylist(), names),
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own files
        policy=_policy(script, style),
    )


def embed(document: Any) -> Markup:
    """Write a document as JSON that can stand inside a ``<script>`` element.

    Parameters
    ----------
    document
        What `json.dumps` takes.

    Returns
    -------
    Markup
        JSON in which no character can end or open an element, or end a line of JavaScript.
    """
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - escaped just above


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
