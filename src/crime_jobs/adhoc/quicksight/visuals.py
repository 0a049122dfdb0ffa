"""Builders of visuals: each returns what CloudFormation and the API take under ``Visuals``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crime_jobs.adhoc.quicksight import theme
from crime_jobs.adhoc.quicksight.datasets import DataSet

Json = dict[str, Any]

#: Rows of a table and marks of a chart that are drawn; the rest can be scrolled to or exported.
MOST_BARS = 40
_NUMBERS = {"INTEGER", "DECIMAL"}
_DECIMALS = {"INTEGER": 0, "DECIMAL": 2}


@dataclass(frozen=True)
class Heading:
    """What stands over a visual.

    Parameters
    ----------
    title, subtitle
        Title, and a line under it: how to read it, and what not to read into it.
    alt
        What a screen reader says of it.
    """

    title: str
    subtitle: str
    alt: str

    def parts(self, visual_id: str) -> Json:
        """Return id, title, subtitle and alternative text of a visual."""
        return {
            "VisualId": visual_id,
            "Title": {"Visibility": "VISIBLE", "FormatText": {"PlainText": self.title}},
            "Subtitle": {"Visibility": "VISIBLE", "FormatText": {"PlainText": self.subtitle}},
            "VisualContentAltText": self.alt,
        }


@dataclass(frozen=True)
class Fields:
    """Makes the fields of one visual: their ids stand under the visual's own.

    Parameters
    ----------
    visual_id
        The visual.
    dataset
        Where its columns are.
    """

    visual_id: str
    dataset: DataSet

    def id(self, column: str) -> str:
        """Return the id of a column's field."""
        return f"{self.visual_id}.{column}"

    def column(self, name: str) -> Json:
        """Return the reference to a column of the dataset."""
        return {"DataSetIdentifier": self.dataset.question, "ColumnName": name}

    def dimension(self, name: str) -> Json:
        """Return a column that rows are grouped by, as its type asks for."""
        field: Json = {"FieldId": self.id(name), "Column": self.column(name)}
        if self.dataset.types[name] in _NUMBERS:
            return {"NumericalDimensionField": field | {"FormatConfiguration": _plain_number()}}
        return {"CategoricalDimensionField": field}

    def measure(self, name: str, aggregation: str = "SUM") -> Json:
        """Return a column that is aggregated; the filters leave one row of a mart, or rows that may be added.

        Parameters
        ----------
        name
            A column of numbers, or with ``COUNT`` one of text.
        aggregation
            ``SUM``, ``MAX``, ``COUNT`` …
        """
        field: Json = {"FieldId": self.id(name), "Column": self.column(name)}
        kind = self.dataset.types[name]
        if kind not in _NUMBERS:
            return {"CategoricalMeasureField": field | {"AggregationFunction": aggregation}}
        return {
            "NumericalMeasureField": field
            | {
                "AggregationFunction": {"SimpleNumericalAggregation": aggregation},
                "FormatConfiguration": number(_DECIMALS[kind]),
            }
        }

    def plain(self, name: str) -> Json:
        """Return a column that is shown as it stands."""
        field: Json = {"FieldId": self.id(name), "Column": self.column(name)}
        kind = self.dataset.types[name]
        if kind not in _NUMBERS:
            return field
        shown = _plain_number() if name == "year" else number(_DECIMALS[kind])
        return field | {"FormatConfiguration": {"NumberFormatConfiguration": shown}}

    def sort(self, name: str, direction: str) -> list[Json]:
        """Return the order by a field of the visual, ``ASC`` or ``DESC``."""
        return [{"FieldSort": {"FieldId": self.id(name), "Direction": direction}}]


def number(decimals: int) -> Json:
    """Return the format of a figure: Indian grouping, 26,47,722."""
    return _number(decimals, {"Symbol": "COMMA", "Visibility": "VISIBLE", "GroupingStyle": "LAKHS"})


def _plain_number() -> Json:
    return _number(0, {"Symbol": "COMMA", "Visibility": "HIDDEN"})


def _number(decimals: int, thousands: Json) -> Json:
    display: Json = {
        "SeparatorConfiguration": {"DecimalSeparator": "DOT", "ThousandsSeparator": thousands},
        "DecimalPlacesConfiguration": {"DecimalPlaces": decimals},
        "NumberScale": "NONE",
    }
    return {"FormatConfiguration": {"NumberDisplayFormatConfiguration": display}}


def kpi(visual_id: str, dataset: DataSet, value: str, heading: Heading, aggregation: str = "SUM") -> Json:
    """Return a key figure.

    Parameters
    ----------
    visual_id
        Its id.
    dataset, value
        The column, and where it is.
    heading
        What stands over it.
    aggregation
        How rows become one figure.
    """
    fields = Fields(visual_id, dataset)
    wells = {"Values": [fields.measure(value, aggregation)]}
    return {"KPIVisual": heading.parts(visual_id) | {"ChartConfiguration": {"FieldWells": wells}}}


def bars(
    visual_id: str,
    dataset: DataSet,
    category: str,
    value: str,
    heading: Heading,
    *,
    color: str | None = None,
    aggregation: str = "SUM",
) -> Json:
    """Return horizontal bars, the longest first.

    Parameters
    ----------
    visual_id
        Its id.
    dataset, category, value
        A bar a value of `category`, as long as `value`.
    heading
        What stands over it.
    color
        A column that bars are cut into.
    aggregation
        How rows become one figure.
    """
    fields = Fields(visual_id, dataset)
    wells: Json = {
        "Category": [fields.dimension(category)],
        "Values": [fields.measure(value, aggregation)],
        "Colors": [fields.dimension(color)] if color else [],
    }
    configuration: Json = {
        "FieldWells": {"BarChartAggregatedFieldWells": wells},
        "Orientation": "HORIZONTAL",
        "BarsArrangement": "STACKED" if color else "CLUSTERED",
        "SortConfiguration": {
            "CategorySort": fields.sort(value, "DESC"),
            "CategoryItemsLimit": {"ItemsLimit": MOST_BARS, "OtherCategories": "EXCLUDE"},
        },
        "DataLabels": {"Visibility": "VISIBLE", "Overlap": "DISABLE_OVERLAP"},
    }
    return {"BarChartVisual": heading.parts(visual_id) | {"ChartConfiguration": configuration}}


def line(
    visual_id: str, dataset: DataSet, category: str, value: str, heading: Heading, *, color: str | None = None
) -> Json:
    """Return a line over `category`, one for each value of `color`.

    Parameters
    ----------
    visual_id
        Its id.
    dataset, category, value
        Where the columns are, and which.
    heading
        What stands over it.
    color
        A line a value of this.
    """
    fields = Fields(visual_id, dataset)
    wells: Json = {
        "Category": [fields.dimension(category)],
        "Values": [fields.measure(value)],
        "Colors": [fields.dimension(color)] if color else [],
    }
    configuration: Json = {
        "FieldWells": {"LineChartAggregatedFieldWells": wells},
        "Type": "LINE",
        "SortConfiguration": {"CategorySort": fields.sort(category, "ASC")},
    }
    return {"LineChartVisual": heading.parts(visual_id) | {"ChartConfiguration": configuration}}


def heat(visual_id: str, dataset: DataSet, rows: str, columns: str, value: str, heading: Heading) -> Json:
    """Return a heat map.

    Parameters
    ----------
    visual_id
        Its id.
    dataset, rows, columns, value
        Where the columns are, and which.
    heading
        What stands over it.
    """
    fields = Fields(visual_id, dataset)
    wells = {
        "Rows": [fields.dimension(rows)],
        "Columns": [fields.dimension(columns)],
        "Values": [fields.measure(value)],
    }
    configuration: Json = {
        "FieldWells": {"HeatMapAggregatedFieldWells": wells},
        "SortConfiguration": {
            "HeatMapRowSort": fields.sort(rows, "ASC"),
            "HeatMapColumnSort": fields.sort(columns, "ASC"),
        },
        "ColorScale": {
            "Colors": [{"Color": theme.LIGHT}, {"Color": theme.DARK}],
            "ColorFillType": "GRADIENT",
            "NullValueColor": {"Color": theme.EMPTY},
        },
        "DataLabels": {"Visibility": "VISIBLE"},
    }
    return {"HeatMapVisual": heading.parts(visual_id) | {"ChartConfiguration": configuration}}


def table(
    visual_id: str, dataset: DataSet, columns: Mapping[str, str], order: tuple[str, str], heading: Heading
) -> Json:
    """Return a table of rows as they stand in the dataset.

    Parameters
    ----------
    visual_id
        Its id.
    dataset
        Where the columns are.
    columns
        Columns in order, with what stands over each.
    order
        Column and direction.
    heading
        What stands over it.
    """
    fields = Fields(visual_id, dataset)
    configuration: Json = {
        "FieldWells": {"TableUnaggregatedFieldWells": {"Values": [fields.plain(name) for name in columns]}},
        "SortConfiguration": {"RowSort": fields.sort(*order)},
        "FieldOptions": {
            "SelectedFieldOptions": [
                {"FieldId": fields.id(name), "CustomLabel": label} for name, label in columns.items()
            ]
        },
    }
    return {"TableVisual": heading.parts(visual_id) | {"ChartConfiguration": configuration}}


def layer_map(
    visual_id: str,
    dataset: DataSet,
    *,
    shapes: tuple[str, str],
    key: str,
    color: str,
    told: Sequence[str],
    heading: Heading,
) -> Json:
    """Return a map of our own boundaries, filled by the classes of a column.

    Parameters
    ----------
    visual_id
        Its id.
    dataset
        Where the columns are.
    shapes
        Id of the GeoJSON among the static files, and the property that tells its shapes apart.
    key
        The column that holds the same.
    color
        The column of the classes of `crime_jobs.adhoc.quicksight.theme.MAGNITUDES`.
    told
        Columns of numbers that the tooltip gives.
    heading
        What stands over it.
    """
    fields = Fields(visual_id, dataset)
    file_id, property_name = shapes
    stroke = {
        "StrokeColor": {"Solid": {"Color": theme.BORDER}},
        "StrokeWidth": {"LineWidth": 1},
    }
    classes = [{"Color": tone, "DataValue": name} for name, tone in theme.MAGNITUDES.items()]
    nothing = {"FillColor": theme.EMPTY, "StrokeColor": theme.BORDER, "StrokeWidth": 1}
    fill = {
        "Categorical": {
            "CategoryDataColors": classes,
            "NullDataVisibility": "VISIBLE",
            "NullDataSettings": {"SymbolStyle": nothing},
            "DefaultOpacity": 1,
        }
    }
    aggregated = {"NumericalAggregationFunction": {"SimpleNumericalAggregation": "MAX"}}
    tooltip = [
        {"ColumnTooltipItem": {"Column": fields.column("state"), "Visibility": "VISIBLE"}},
        *({"ColumnTooltipItem": {"Column": fields.column(name), "Aggregation": aggregated}} for name in told),
    ]
    layer: Json = {
        "LayerId": f"{visual_id}-layer",
        "LayerType": "POLYGON",
        "Label": heading.title,
        "Visibility": "VISIBLE",
        "DataSource": {"StaticFileDataSource": {"StaticFileId": file_id}},
        "JoinDefinition": {
            "ShapeKeyField": property_name,
            "DatasetKeyField": {"FieldId": fields.id(key), "Column": fields.column(key)},
            "ColorField": {"ColorDimensionsFields": [fields.dimension(color)], "ColorValuesFields": []},
        },
        "LayerDefinition": {
            "PolygonLayer": {"Style": {"PolygonSymbolStyle": {"FillColor": fill} | stroke}},
        },
        "Tooltip": {
            "TooltipVisibility": "VISIBLE",
            "SelectedTooltipType": "DETAILED",
            "FieldBasedTooltip": {"AggregationVisibility": "HIDDEN", "TooltipFields": tooltip},
        },
    }
    configuration: Json = {
        "MapLayers": [layer],
        # No base map: its borders of India are the provider's, and would stand beside ours.
        "MapStyle": {"BaseMapVisibility": "HIDDEN", "BackgroundColor": "#FFFFFF"},
        "MapState": {
            "Bounds": {"North": 38, "South": 6, "West": 67, "East": 98},
            "MapNavigation": "ENABLED",
        },
        "Legend": {"Visibility": "VISIBLE", "Position": "BOTTOM"},
    }
    return {
        "LayerMapVisual": heading.parts(visual_id)
        | {"DataSetIdentifier": dataset.question, "ChartConfiguration": configuration}
    }
