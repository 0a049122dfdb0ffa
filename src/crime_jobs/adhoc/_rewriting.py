"""What sqlglot writes for DuckDB with another meaning than Athena's, or not at all: rewritten in the tree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from crime_jobs.adhoc._meaning import DISTINCT, MEANINGS, filled, json_size, stamp
from crime_jobs.adhoc._refused import SqlWrong, Unsupported, place
from crime_jobs.adhoc._unnesting import size, unnested

#: Functions in DuckDB's words: ``_1`` is the first argument.
TEMPLATES = {
    "all_match": "coalesce(list_bool_and(list_transform(_1, _2)), true)",
    "any_match": "coalesce(list_bool_or(list_transform(_1, _2)), false)",
    "none_match": "NOT coalesce(list_bool_or(list_transform(_1, _2)), false)",
    "array_position": "coalesce(list_position(_1, _2), 0)",
    "array_union": DISTINCT.replace("_1", "list_concat(_1, _2)"),
    "arrays_overlap": "list_has_any(_1, _2)",
    "at_timezone": "_1 AT TIME ZONE _2",
    "codepoint": "unicode(_1)",
    "e": "exp(1)",
    "every": "bool_and(_1)",
    "histogram": "histogram(_1)",
    "infinity": "CAST('Infinity' AS DOUBLE)",
    "is_finite": "isfinite(_1)",
    "is_infinite": "isinf(_1)",
    "map_agg": "map(list(_1), list(_2))",
    "nan": "CAST('NaN' AS DOUBLE)",
    "regexp_split": "regexp_split_to_array(_1, _2)",
    "to_iso8601": "_iso",
    "url_decode": "url_decode(_1)",
    "url_encode": "url_encode(_1)",
    "yow": "isoyear(_1)",
    "zip": "list_zip(_1, _2)",
    "millisecond": "millisecond(_1) % 1000",
}

_INTEGERS = (*exp.DataType.INTEGER_TYPES,)
_TEXTS = (*exp.DataType.TEXT_TYPES,)
_NUMBERS = (*exp.DataType.NUMERIC_TYPES,)

#: Joda's letters of a format, as DuckDB's ``strftime`` has them.
_JODA = {
    "yyyy": "%Y", "yy": "%y", "MM": "%m", "MMM": "%b", "MMMM": "%B", "dd": "%d", "HH": "%H", "hh": "%I",
    "mm": "%M", "ss": "%S", "SSS": "%g", "a": "%p", "EEE": "%a", "EEEE": "%A", "DDD": "%j", "d": "%-d",
    "M": "%-m", "H": "%-H", "h": "%-I", "m": "%-M", "s": "%-S", "y": "%Y", "Z": "%z",
}  # fmt: skip


def rewritten(tree: exp.Query, sql: str) -> exp.Query:
    """Change an analysed query so that DuckDB's SQL means what Athena's did.

    Parameters
    ----------
    tree
        The query; changed in place.
    sql
        The text, for the place of what is refused.

    Returns
    -------
    exp.Query

    Raises
    ------
    SqlWrong
        If operands do not go together.
    Unsupported
        For what DuckDB's SQL can't say.
    """
    stamp(tree)
    for node in [*tree.walk(bfs=False)][::-1]:  # what is inside comes first
        if type(node) in _SIGNS:
            _check_operands(node, sql)
        if isinstance(node, exp.Identifier) and node.name.startswith("_col"):
            node.set("quoted", True)
        if (rule := _RULES.get(type(node))) is not None:
            new = rule(node, sql)
            if new is not None and new is not node:
                if new.type is None:
                    new.type = node.type  # for the rules of what stands around it
                node.replace(new)
    return tree


def _at(node: exp.Expr, sql: str) -> tuple[int, int]:
    starts = [part.meta["start"] for part in node.walk() if "start" in part.meta]
    return place(sql, min(starts)) if starts and sql else (1, 1)


_SIGNS = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.Mod: "%",
}


def _check_operands(node: Any, sql: str) -> None:
    left, right = node.this, node.expression
    for one, other in ((left, right), (right, left)):
        if one.is_type(*_TEXTS) and other.is_type(*_NUMBERS):
            what = f"{_athena(left)} {_SIGNS[type(node)]} {_athena(right)}"
            raise SqlWrong("TYPE_MISMATCH", f"Cannot apply operator: {what}", *_at(node, sql))


def _athena(node: exp.Expr) -> str:
    if node.is_string:
        return f"varchar({len(node.name)})"
    if node.is_number and "." in node.name:
        digits = len(node.name.replace(".", "").lstrip("0")) or 1
        return f"decimal({digits},{len(node.name.partition('.')[2])})"
    kind = node.type.sql("trino").lower() if node.type else "unknown"
    return kind.replace(" ", "")


def _call(node: exp.Anonymous, sql: str) -> exp.Expr | None:
    name = node.name.lower()
    if name == "json_size":
        return json_size(node, sql)
    if name == "to_iso8601":
        return _to_iso8601(node, sql)
    if name in ("format_datetime", "parse_datetime"):
        return _joda(node, name, node.expressions, sql)
    if (template := TEMPLATES.get(name)) is None:
        return None
    return filled(template, node.expressions)


def _to_iso8601(node: exp.Anonymous, sql: str) -> exp.Expr:
    [value] = node.expressions
    if value.is_type(exp.DType.DATE):
        return filled("strftime(_1, '%Y-%m-%d')", [value])
    if value.is_type(exp.DType.TIMESTAMPTZ):
        return filled("strftime(_1, '%Y-%m-%dT%H:%M:%S.%gZ')", [value])
    if value.is_type(exp.DType.TIMESTAMP):
        return filled("strftime(_1, '%Y-%m-%dT%H:%M:%S.%g')", [value])
    raise Unsupported("to_iso8601 of something that is not known to be a date or timestamp", *_at(node, sql))


def _joda(node: exp.Expr, name: str, arguments: list[exp.Expr], sql: str) -> exp.Expr:
    value, form = arguments
    if not form.is_string:
        raise Unsupported(f"{name} with a format that is not a literal", *_at(node, sql))
    found, text = [], form.name
    while text:
        letter = text[0]
        run = len(text) - len(text.lstrip(letter))
        if letter == "'":
            quoted, _, text = text[1:].partition("'")
            found.append(quoted.replace("%", "%%") or "'")
            continue
        part, text = text[:run], text[run:]
        if letter.isalpha():
            if part not in _JODA:
                raise Unsupported(f"{name} with {part!r} in its format", *_at(node, sql))
            found.append(_JODA[part])
        else:
            found.append(part.replace("%", "%%"))
    made = exp.Literal.string("".join(found))
    template = "strftime(_1, _2)" if name == "format_datetime" else "timezone('UTC', strptime(_1, _2))"
    return filled(template, [value, made])


def _parse_datetime(node: Any, sql: str) -> exp.Expr:
    return _joda(node, "parse_datetime", [node.this, node.args["format"]], sql)


def _sum(node: exp.Sum, sql: str) -> exp.Expr | None:
    """DuckDB adds whole numbers up to 128 bits, Athena to a bigint."""
    del sql
    if not node.this.is_type(*_INTEGERS):
        return None
    return _outer_cast(node, "BIGINT")


def _avg(node: exp.Avg, sql: str) -> exp.Expr | None:
    """Give an average of decimals their scale."""
    del sql
    of = node.this.type
    if of is None or not of.is_type(exp.DType.DECIMAL) or not of.expressions:
        return None
    return _outer_cast(node, of.sql("duckdb"))


def _outer_cast(node: exp.Expr, kind: str) -> exp.Expr | None:
    """Cast an aggregate; what stands over it as its window or filter goes into the cast."""
    whole: Any = node
    while isinstance(whole.parent, exp.Window | exp.Filter | exp.WithinGroup) and whole.arg_key == "this":
        whole = whole.parent
    made = exp.cast(whole.copy(), kind, dialect="duckdb")
    if whole is node:
        return made
    whole.replace(made)
    return None


def _as_date(node: exp.Expr, sql: str) -> exp.Expr | None:
    """Adding days to a date, or truncating it, is a date to Athena and a timestamp to DuckDB."""
    del sql
    of = node.this
    if not of.is_type(exp.DType.DATE):
        return None
    if isinstance(node, exp.Add | exp.Sub) and not isinstance(node.expression, exp.Interval):
        return None
    return exp.cast(node.copy(), "DATE")


def _array_position(node: Any, sql: str) -> exp.Expr:
    del sql
    return filled("coalesce(list_position(_1, _2), 0)", [node.this, node.expression])


def _array_overlaps(node: Any, sql: str) -> exp.Expr:
    del sql
    return filled("list_has_any(_1, _2)", [node.this, node.expression])


def _repeat(node: Any, sql: str) -> exp.Expr:
    """Athena's repeats an element in an array, not a text."""
    del sql
    return filled("list_transform(range(_2), lambda i : _1)", [node.this, node.args["times"]])


def _date_diff(node: exp.DateDiff, sql: str) -> exp.Expr:
    """Count whole units that have gone by, not the borders that were crossed."""
    del sql
    unit = exp.Literal.string(str(node.args["unit"].name).lower())
    return exp.Anonymous(this="date_sub", expressions=[unit, node.expression.copy(), node.this.copy()])


def _extract(node: exp.Extract, sql: str) -> exp.Expr | None:
    """Monday is 1 to Athena and Sunday 7."""
    del sql
    if node.name.upper() not in ("DOW", "DAYOFWEEK", "DAY_OF_WEEK"):
        return None
    return exp.Extract(this=exp.var("ISODOW"), expression=node.expression.copy())


def _sqrt(node: exp.Sqrt, sql: str) -> exp.Expr:
    del sql
    return filled("CASE WHEN _1 < 0 THEN CAST('NaN' AS DOUBLE) ELSE sqrt(_1) END", [node.this])


def _div(node: exp.Div, sql: str) -> exp.Expr | None:
    """Divide as Athena does: whole numbers to a whole number, decimals to their larger scale, by zero never.

    Numbers with a point are decimals to Athena, so that ``1 / 3.0`` is ``0.3``.
    """
    del sql
    left, right = _scale(node.this), _scale(node.expression)
    if left is None or right is None:
        return None
    by = node.expression.copy()
    # A "?" can't be there twice, and what TRY is over gives NULL anyway.
    if not (by.is_number and by.to_py()) and not by.find(exp.Placeholder) and not node.find_ancestor(exp.Try):
        by = filled("CASE WHEN _1 = 0 THEN error('Division by zero') ELSE _1 END", [by])
    if left[1] or right[1]:
        divided = exp.Div(this=node.this.copy(), expression=by)
        return exp.cast(divided, f"DECIMAL(38, {max(left[0], right[0])})", dialect="duckdb")
    return exp.paren(exp.IntDiv(this=node.this.copy(), expression=by), copy=False)


def _scale(node: exp.Expr) -> tuple[int, bool] | None:  # noqa: PLR0911 - a kind of node a line
    """Return the scale of an exact number and whether it is a decimal; nothing for what may be neither."""
    if isinstance(node, exp.Paren | exp.Neg):
        return _scale(node.this)
    if isinstance(node, exp.Literal):
        plain = not node.is_string and "e" not in node.name.lower()
        return (len(node.name.partition(".")[2]), "." in node.name) if plain else None
    if isinstance(node, exp.Mul | exp.Add | exp.Sub):
        left, right = _scale(node.this), _scale(node.expression)
        if left is None or right is None:
            return None
        scale = left[0] + right[0] if isinstance(node, exp.Mul) else max(left[0], right[0])
        return scale, left[1] or right[1]
    kind = node.to if isinstance(node, exp.Cast) else node.type
    if kind is None:
        return None
    if kind.is_type(exp.DType.DECIMAL):
        parts = kind.expressions
        return (int(parts[1].name) if len(parts) > 1 else 0), True
    return (0, False) if kind.is_type(*_INTEGERS) else None


def _approx_distinct(node: exp.ApproxDistinct, sql: str) -> exp.Expr:
    """Count exactly: that is within any error that is asked for."""
    del sql
    return exp.Count(this=exp.Distinct(expressions=[node.this.copy()]))


def _approx_quantile(node: exp.ApproxQuantile, sql: str) -> exp.Expr:
    """Take the exact quantile, a value of the data as Athena's is."""
    if node.args.get("weight"):
        raise Unsupported("approx_percentile with weights", *_at(node, sql))
    return exp.Anonymous(this="quantile_disc", expressions=[node.this.copy(), node.args["quantile"].copy()])


def _reduce(node: exp.Reduce, sql: str) -> exp.Expr:
    """DuckDB's takes no last function, so that is applied to what it returns."""
    finish = node.args.get("finish")
    made = node.copy()
    made.set("finish", None)
    if isinstance(finish, exp.Lambda) and len(finish.expressions) == 1:
        if (
            isinstance(finish.this, exp.Column | exp.Identifier)
            and finish.this.name == finish.expressions[0].name
        ):
            return made
        raise Unsupported("reduce with an output function that changes the state", *_at(node, sql))
    return made


def _position(node: exp.StrPosition, sql: str) -> None:
    if node.args.get("occurrence") is not None:
        raise Unsupported("strpos with an instance", *_at(node, sql))


def _from_unixtime(node: exp.UnixToTime, sql: str) -> None:
    if node.args.get("zone") is not None or node.args.get("hours") is not None:
        raise Unsupported("from_unixtime with a time zone", *_at(node, sql))


def _slice(node: exp.ArraySlice, sql: str) -> exp.Expr:
    del sql
    begin, length = node.args["start"], node.args["end"]
    return filled("list_slice(_1, _2, _2 + _3 - 1)", [node.this, begin, length])


def _tablesample(node: exp.TableSample, sql: str) -> None:
    raise Unsupported("TABLESAMPLE", *_at(node.parent or node, sql))


def _match(node: exp.MatchRecognize, sql: str) -> None:
    raise Unsupported("MATCH_RECOGNIZE", *_at(node.parent or node, sql))


def _typeof(node: exp.Typeof, sql: str) -> exp.Expr:
    kind = node.this.type
    if kind is None or kind.is_type(exp.DType.UNKNOWN):
        raise Unsupported("typeof of an expression whose type is not known", *_at(node, sql))
    return exp.Literal.string(_athena(node.this))


_RULES: dict[type, Callable[[Any, str], exp.Expr | None]] = {
    **MEANINGS,
    exp.Anonymous: _call,
    exp.ParseDatetime: _parse_datetime,
    exp.ArrayPosition: _array_position,
    exp.ArrayOverlaps: _array_overlaps,
    exp.Repeat: _repeat,
    exp.DateDiff: _date_diff,
    exp.Extract: _extract,
    exp.Unnest: unnested,
    exp.ArraySize: size,
    exp.Sqrt: _sqrt,
    exp.Sum: _sum,
    exp.Div: _div,
    exp.Avg: _avg,
    exp.Add: _as_date,
    exp.Sub: _as_date,
    exp.DateAdd: _as_date,
    exp.TimestampTrunc: _as_date,
    exp.DateTrunc: _as_date,
    exp.ApproxDistinct: _approx_distinct,
    exp.ApproxQuantile: _approx_quantile,
    exp.Reduce: _reduce,
    exp.StrPosition: _position,
    exp.UnixToTime: _from_unixtime,
    exp.ArraySlice: _slice,
    exp.TableSample: _tablesample,
    exp.MatchRecognize: _match,
    exp.Typeof: _typeof,
}
