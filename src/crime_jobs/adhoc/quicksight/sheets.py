"""What a sheet is: visuals on a grid, with the controls above them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crime_jobs.adhoc.quicksight import controls
from crime_jobs.adhoc.quicksight.controls import Parameter

Json = dict[str, Any]

#: Pixels that the layout is drawn for.
_WIDTH = "1600px"
_CONTROL = (6, 2)


@dataclass(frozen=True)
class Placed:
    """A visual and its place on the grid: column, row, width, height."""

    visual: Json
    at: tuple[int, int, int, int]

    @property
    def id(self) -> str:
        """The visual's id."""
        (body,) = self.visual.values()
        return str(body["VisualId"])


@dataclass(frozen=True)
class Sheet:
    """A sheet.

    Parameters
    ----------
    id, name, description
        Its id, its name on the tab, and what it is about.
    placed
        The visuals.
    parameters
        Parameters that have a control here.
    choices
        Filters that have one: id and title.
    """

    id: str
    name: str
    description: str
    placed: tuple[Placed, ...]
    parameters: tuple[Parameter, ...] = ()
    choices: Mapping[str, str] | None = None

    def definition(self) -> Json:
        """Return the sheet as the API takes it."""
        told = [parameter.control(self.id) for parameter in self.parameters]
        chosen = [controls.choice(name, title) for name, title in (self.choices or {}).items()]
        ids = [("PARAMETER_CONTROL", c["Dropdown"]["ParameterControlId"]) for c in told]
        ids += [("FILTER_CONTROL", c["Dropdown"]["FilterControlId"]) for c in chosen]
        width, height = _CONTROL
        bar = [_element(kind, name, (i * width, 0, width, height)) for i, (kind, name) in enumerate(ids)]
        canvas = {"ScreenCanvasSizeOptions": {"ResizeOption": "FIXED", "OptimizedViewPortWidth": _WIDTH}}
        grid = [_element("VISUAL", placed.id, placed.at) for placed in self.placed]
        return {
            "SheetId": self.id,
            "Name": self.name,
            "Title": self.name,
            "Description": self.description,
            "ContentType": "INTERACTIVE",
            "ParameterControls": told,
            "FilterControls": chosen,
            "Visuals": [placed.visual for placed in self.placed],
            "Layouts": [{"Configuration": {"GridLayout": {"Elements": grid, "CanvasSizeOptions": canvas}}}],
            "SheetControlLayouts": [{"Configuration": {"GridLayout": {"Elements": bar}}}],
        }


def _element(kind: str, name: str, at: tuple[int, int, int, int]) -> Json:
    column, row, width, height = at
    return {
        "ElementId": name,
        "ElementType": kind,
        "ColumnIndex": column,
        "ColumnSpan": width,
        "RowIndex": row,
        "RowSpan": height,
    }
