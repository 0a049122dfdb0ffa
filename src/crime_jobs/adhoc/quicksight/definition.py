"""The definition that dashboard and analysis share: sheets, parameters, filters, boundaries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crime_jobs.adhoc.quicksight import controls
from crime_jobs.adhoc.quicksight.controls import GROUP, PARAMETERS, PLACE, YEAR
from crime_jobs.adhoc.quicksight.datasets import HOURS, MONTHS, PERIOD, QUALITY, REGION, SHOWN, SPOTS, WOMEN
from crime_jobs.adhoc.quicksight.overview import OVERVIEW, SHAPES
from crime_jobs.adhoc.quicksight.pages import AGAINST_WOMEN, DATA_QUALITY, HOT_SPOTS, ROADS

Json = dict[str, Any]

SHEETS = (OVERVIEW, AGAINST_WOMEN, ROADS, HOT_SPOTS, DATA_QUALITY)
#: Rows that are added up must be of one level, or each case is counted several times.
_STATES = ("state",)


def filter_groups() -> list[Json]:
    """Return the filters: by parameter, fixed, and by choice."""
    chosen = {"overview": ["kpi-cases", "kpi-rate", "kpi-rank"]}
    by_state = {"overview": ["map-states", "bars-rate"]}
    placed_women = {"women": ["kpi-women", "kpi-women-rate", "line-women", "table-women"]}
    seven = {"women": ["kpi-women", "kpi-women-rate", "bars-women"]}
    spots = {"hot-spots": ["bars-spots", "table-spots"]}
    quality = {"quality": [placed.id for placed in DATA_QUALITY.placed]}
    wrong = {"quality": ["kpi-wrong", "table-quality"]}
    trend = {"overview": ["line-trend", "table-trend"]}
    kinds = {"overview": ["bars-type"]}
    parameter, values, choice = controls.by_parameter, controls.by_values, controls.by_choice
    above = {"overview": [*chosen["overview"], *kinds["overview"]]}
    return [
        parameter("region-place", REGION, PLACE, above),
        parameter("region-year", REGION, YEAR, {"overview": above["overview"] + by_state["overview"]}),
        parameter("region-group", REGION, GROUP, {"overview": chosen["overview"] + by_state["overview"]}),
        # The names of places are one a level, districts apart: these stand under their state's name.
        values("region-above", REGION, "level", ("district",), above, keep=False),
        values("region-states", REGION, "level", _STATES, by_state),
        values("region-kinds", REGION, "crime_group", ("all_ipc",), kinds, keep=False),
        parameter("period-place", PERIOD, PLACE, trend),
        parameter("period-group", PERIOD, GROUP, trend),
        parameter("women-place", WOMEN, PLACE, placed_women),
        parameter("women-year", WOMEN, YEAR, seven),
        values("women-seven", WOMEN, "women_group", ("core_seven",), seven),
        values("women-states", WOMEN, "level", _STATES, {"women": ["bars-women"]}),
        parameter("hours-place", HOURS, PLACE, {"roads": ["heat-hours"]}),
        parameter("months-place", MONTHS, PLACE, {"roads": ["heat-months"]}),
        parameter("spots-year", SPOTS, YEAR, spots),
        parameter("spots-group", SPOTS, GROUP, spots),
        choice("choose-spot-state", SPOTS, "state", spots),
        values("quality-wrong", QUALITY, "status", ("ok",), wrong, keep=False),
        choice("choose-quality-check", QUALITY, "check_name", quality),
        choice("choose-quality-file", QUALITY, "source_file", quality),
    ]


def definition(arns: Mapping[str, object], shapes: Json) -> Json:
    """Return the definition that dashboard and analysis share.

    Parameters
    ----------
    arns
        ARN of each dataset, or what CloudFormation makes it from, by question.
    shapes
        Where the GeoJSON of the states is: bucket, key and region.

    Returns
    -------
    dict
        A ``DashboardVersionDefinition``, which is an ``AnalysisDefinition`` too.
    """
    return {
        "DataSetIdentifierDeclarations": [{"Identifier": name, "DataSetArn": arns[name]} for name in SHOWN],
        "ParameterDeclarations": [parameter.declaration for parameter in PARAMETERS],
        "Sheets": [sheet.definition() for sheet in SHEETS],
        "FilterGroups": filter_groups(),
        "StaticFiles": [{"SpatialStaticFile": {"StaticFileId": SHAPES[0], "Source": {"S3Options": shapes}}}],
    }
