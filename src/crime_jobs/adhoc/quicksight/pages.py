"""The sheets behind the first: against women, roads, hot spots, data quality."""

from __future__ import annotations

from crime_jobs.adhoc.quicksight import visuals
from crime_jobs.adhoc.quicksight.controls import GROUP, PLACE, YEAR
from crime_jobs.adhoc.quicksight.datasets import FIRS, HOURS, MONTHS, QUALITY, SPOTS, WOMEN
from crime_jobs.adhoc.quicksight.sheets import Placed, Sheet
from crime_jobs.adhoc.quicksight.visuals import Heading

AGAINST_WOMEN = Sheet(
    "women",
    "Against women",
    "Crimes against women. The table of 2014 counts special laws too: it compares with no year before it.",
    (
        Placed(
            visuals.kpi(
                "kpi-women",
                WOMEN,
                "cases",
                Heading(
                    "Cases, seven IPC heads",
                    "Of the chosen place and year.",
                    "Key figure: cases of the seven heads counted in every year.",
                ),
            ),
            (0, 0, 18, 4),
        ),
        Placed(
            visuals.kpi(
                "kpi-women-rate",
                WOMEN,
                "rate_per_lakh",
                Heading(
                    "Per lakh persons",
                    "Of the chosen place and year, the seven heads. By all persons, not women alone.",
                    "Key figure: cases of the seven heads per 100,000 persons.",
                ),
                "MAX",
            ),
            (18, 0, 18, 4),
        ),
        Placed(
            visuals.line(
                "line-women",
                WOMEN,
                "year",
                "cases",
                Heading(
                    "Over the years, by head",
                    "Of the chosen place. Definitions changed in 2013 and 2014; see the table.",
                    "Lines: cases of each group of heads over the years.",
                ),
                color="group_label",
            ),
            (0, 4, 36, 12),
        ),
        Placed(
            visuals.bars(
                "bars-women",
                WOMEN,
                "state",
                "rate_per_lakh",
                Heading(
                    "States by rate",
                    "The seven heads, cases per lakh persons, in the chosen year.",
                    "Bars: states by cases of the seven heads per 100,000 persons.",
                ),
                aggregation="MAX",
            ),
            (0, 16, 18, 14),
        ),
        Placed(
            visuals.table(
                "table-women",
                WOMEN,
                {
                    "group_label": "Heads",
                    "year": "Year",
                    "cases": "Cases",
                    "change_pct": "Change, %",
                    "trend": "Trend",
                    "scope": "Scope of the source",
                },
                ("year", "DESC"),
                Heading("The same in figures", "Of the chosen place.", "Table: cases by group and year."),
            ),
            (18, 16, 18, 14),
        ),
    ),
    (PLACE, YEAR),
)

ROADS = Sheet(
    "roads",
    "Roads",
    "When accidents happen. NCRB has hours and months, each by year, and no table of both together; "
    "the FIRs of the stream have both.",
    (
        Placed(
            visuals.heat(
                "heat-hours",
                HOURS,
                "slot",
                "year",
                "cases",
                Heading(
                    "Accidents by hour and year",
                    "Three hours of the day; of the chosen place. Andhra Pradesh is undivided in all years.",
                    "Heat map: road accidents by three hours of the day and year.",
                ),
            ),
            (0, 0, 36, 10),
        ),
        Placed(
            visuals.heat(
                "heat-months",
                MONTHS,
                "month_number",
                "year",
                "cases",
                Heading(
                    "Accidents by month and year",
                    "1 is January; of the chosen place.",
                    "Heat map: road accidents by month and year.",
                ),
            ),
            (0, 10, 36, 12),
        ),
        Placed(
            visuals.heat(
                "heat-firs",
                FIRS,
                "hour_of_day",
                "month_number",
                "firs",
                Heading(
                    "FIRs by hour and month of the offence",
                    "All kinds and the whole country, India's time, from the FIR stream.",
                    "Heat map: FIRs by hour of the day and month.",
                ),
            ),
            (0, 22, 36, 18),
        ),
    ),
    (PLACE,),
)

HOT_SPOTS = Sheet(
    "hot-spots",
    "Hot spots",
    "Districts that are high, or rising, in the chosen year and group, with the rule that says so.",
    (
        Placed(
            visuals.bars(
                "bars-spots",
                SPOTS,
                "state",
                "district",
                Heading(
                    "Hot spots by state",
                    "Districts counted, by why they are one.",
                    "Bars: number of hot spots of each state, by kind.",
                ),
                color="hot_spot",
                aggregation="COUNT",
            ),
            (0, 0, 14, 20),
        ),
        Placed(
            visuals.table(
                "table-spots",
                SPOTS,
                {
                    "district": "District",
                    "state": "State",
                    "cases": "Cases",
                    "percentile": "Percentile, 0 to 1",
                    "growth_pct": "Growth on three years before, %",
                    "hot_spot": "Why",
                    "rule": "Rule",
                },
                ("cases", "DESC"),
                Heading(
                    "The districts",
                    "Most cases first.",
                    "Table: hot spots, with cases and growth.",
                ),
            ),
            (14, 0, 22, 20),
        ),
    ),
    (YEAR, GROUP),
    {"choose-spot-state": "States"},
)

DATA_QUALITY = Sheet(
    "quality",
    "Data quality",
    "Where the sources disagree with each other, with themselves, or with what was computed from them.",
    (
        Placed(
            visuals.kpi(
                "kpi-wrong",
                QUALITY,
                "check_name",
                Heading(
                    "Comparisons that disagree",
                    "Those that are not ok.",
                    "Key figure: number of comparisons that are not ok.",
                ),
                "COUNT",
            ),
            (0, 0, 12, 5),
        ),
        Placed(
            visuals.bars(
                "bars-quality",
                QUALITY,
                "check_name",
                "scope",
                Heading(
                    "Comparisons by check",
                    "All of them, by what came of them.",
                    "Bars: number of comparisons of each check, by status.",
                ),
                color="status",
                aggregation="COUNT",
            ),
            (12, 0, 24, 12),
        ),
        Placed(
            visuals.table(
                "table-quality",
                QUALITY,
                {
                    "check_name": "Check",
                    "scope": "State, district, year, head",
                    "expected": "Expected",
                    "found": "Found",
                    "difference": "Difference",
                    "status": "Status",
                    "source_file": "File",
                },
                ("difference", "DESC"),
                Heading("Where they disagree", "Those that are not ok.", "Table: comparisons not ok."),
            ),
            (0, 12, 36, 18),
        ),
    ),
    (),
    {"choose-quality-check": "Checks", "choose-quality-file": "Files"},
)
