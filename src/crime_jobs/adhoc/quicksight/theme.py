"""Colours of the dashboard: ordered by lightness, so that they read without hue, and in grey print."""

from __future__ import annotations

from typing import Any

#: One hue, five classes from light to dark, for the magnitudes of the marts: lightness tells them apart.
MAGNITUDES = {
    "very low": "#EFF3FF",
    "low": "#BDD7E7",
    "medium": "#6BAED6",
    "high": "#3182BD",
    "very high": "#08519C",
    "none": "#D9D9D9",
}
LIGHT, DARK = MAGNITUDES["very low"], MAGNITUDES["very high"]
#: Nothing is known here.
EMPTY = "#F0F0F0"
BORDER = "#525252"
#: Series that stand beside each other: Okabe and Ito's eight, made to be told apart by the colour-blind
#: (https://jfly.uni-koeln.de/color/).
SERIES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")


def configuration() -> dict[str, Any]:
    """Return the configuration of the theme, as ``AWS::QuickSight::Theme`` takes it."""
    return {
        "DataColorPalette": {
            "Colors": list(SERIES),
            "MinMaxGradient": [LIGHT, DARK],
            "EmptyFillColor": EMPTY,
        },
        "UIColorPalette": {
            "PrimaryForeground": "#1A1A1A",
            "PrimaryBackground": "#FFFFFF",
            "SecondaryForeground": "#333333",
            "SecondaryBackground": "#F5F5F5",
            "Accent": "#08519C",
            "AccentForeground": "#FFFFFF",
        },
        "Sheet": {
            "Tile": {"Border": {"Show": True}},
            "TileLayout": {"Gutter": {"Show": True}, "Margin": {"Show": True}},
        },
    }
