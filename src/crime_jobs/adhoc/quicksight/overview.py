"""The first sheet: key figures, the map, kinds of crime, the trend."""

from __future__ import annotations

from crime_jobs.adhoc.quicksight import visuals
from crime_jobs.adhoc.quicksight.controls import GROUP, PLACE, YEAR
from crime_jobs.adhoc.quicksight.datasets import PERIOD, REGION
from crime_jobs.adhoc.quicksight.sheets import Placed, Sheet
from crime_jobs.adhoc.quicksight.visuals import Heading

#: The GeoJSON of the states, and the property that holds their code.
SHAPES = ("india-states", "iso_3166_2")
_CHOSEN = "Of the place, year and crime group that are chosen."
_BREAKS = "2014 counts other heads than 2013: where the trend says series break, don't compare across it."

OVERVIEW = Sheet(
    "overview",
    "Overview",
    "Where crime is worst, what kind it is, and how it moves. Reported cases, not all crime.",
    (
        Placed(
            visuals.kpi(
                "kpi-cases",
                REGION,
                "cases",
                Heading("Cases", _CHOSEN, "Key figure: cases of the chosen place, year and group."),
            ),
            (0, 0, 12, 4),
        ),
        Placed(
            visuals.kpi(
                "kpi-rate",
                REGION,
                "rate_per_lakh",
                Heading(
                    "Cases per lakh persons",
                    f"{_CHOSEN} Empty where the population is not known.",
                    "Key figure: cases per 100,000 persons of the chosen place, year and group.",
                ),
                "MAX",
            ),
            (12, 0, 12, 4),
        ),
        Placed(
            visuals.kpi(
                "kpi-rank",
                REGION,
                "rank_in_year",
                Heading("Rank by cases", f"{_CHOSEN} 1 has most.", "Key figure: rank of the chosen place."),
                "MAX",
            ),
            (24, 0, 12, 4),
        ),
        Placed(
            visuals.layer_map(
                "map-states",
                REGION,
                shapes=SHAPES,
                key="state_code",
                color="magnitude",
                told=("cases", "rate_per_lakh", "rank_in_year"),
                heading=Heading(
                    "Magnitude by state",
                    "Fifths of the states by cases, in the chosen year and group. Telangana from 2014.",
                    "Map of India's states, darker where there are more cases.",
                ),
            ),
            (0, 4, 18, 16),
        ),
        Placed(
            visuals.bars(
                "bars-rate",
                REGION,
                "state",
                "rate_per_lakh",
                Heading(
                    "States by rate",
                    "Cases per lakh persons, in the chosen year and group.",
                    "Bars: states by cases per 100,000 persons, highest first.",
                ),
                aggregation="MAX",
            ),
            (18, 4, 18, 16),
        ),
        Placed(
            visuals.bars(
                "bars-type",
                REGION,
                "group_label",
                "cases",
                Heading(
                    "Kinds of crime",
                    "Of the chosen place and year. Groups overlap: they don't add up to all crimes.",
                    "Bars: crime groups of the chosen place and year by cases.",
                ),
            ),
            (0, 20, 18, 14),
        ),
        Placed(
            visuals.line(
                "line-trend",
                PERIOD,
                "year",
                "cases",
                Heading(
                    "Over the years", _BREAKS, "Line: cases of the chosen place and group over the years."
                ),
            ),
            (18, 20, 18, 7),
        ),
        Placed(
            visuals.table(
                "table-trend",
                PERIOD,
                {"year": "Year", "cases": "Cases", "change_pct": "Change, %", "trend": "Trend"},
                ("year", "DESC"),
                Heading(
                    "The same in figures", _BREAKS, "Table: cases, change and trend of the chosen place."
                ),
            ),
            (18, 27, 18, 7),
        ),
    ),
    (PLACE, YEAR, GROUP),
)
