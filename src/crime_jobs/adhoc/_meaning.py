"""What DuckDB's functions of the same name value otherwise than Athena's: casts, text, arrays, maps, NaN."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import sqlglot
from sqlglot import exp

from crime_jobs.adhoc._refused import Unsupported, place

_WHOLE = (*exp.DataType.INTEGER_TYPES,)
_TEXTS = (*exp.DataType.TEXT_TYPES,)
_DOUBLES = (exp.DType.DOUBLE, exp.DType.FLOAT)

#: What returns an array or a text, where sqlglot does not say so.
_LISTS = (
    exp.Split, exp.RegexpSplit, exp.RegexpExtractAll, exp.ArrayDistinct, exp.ArrayExcept,
    exp.ArrayIntersect, exp.ArraySlice, exp.ArrayRemove, exp.ArrayFilter, exp.Transform, exp.Flatten,
    exp.Repeat, exp.ArrayAgg, exp.MapKeys,
)  # fmt: skip
_WORDS = (exp.RegexpReplace, exp.RegexpExtract, exp.SplitPart, exp.Replace, exp.ArrayToString, exp.TimeToStr)
_NAMED = {
    "array_union": exp.DType.ARRAY, "regexp_split": exp.DType.ARRAY, "zip": exp.DType.ARRAY,
    "map_values": exp.DType.ARRAY, "map_agg": exp.DType.MAP, "histogram": exp.DType.MAP,
    "map_concat": exp.DType.MAP, "map_from_entries": exp.DType.MAP, "array_join": exp.DType.VARCHAR,
}  # fmt: skip

# A double's text as Java's DecimalFormat has it, of DuckDB's shortest digits: t is 123.45, 0.001 or 1.5e-07.
_SIGN = "CASE WHEN t[1] = '-' THEN '-' ELSE '' END"
_DIGITS = r"rtrim(regexp_replace(regexp_replace(t, 'e.*$', ''), '^-?0*\.?0*|\.', '', 'g'), '0')"
_POWER = (
    "CASE WHEN contains(t, 'e') THEN CAST(regexp_extract(t, 'e(.*)$', 1) AS INTEGER)"
    r" WHEN regexp_matches(t, '^-?0\.') THEN -1 - length(regexp_extract(t, '\.(0*)', 1))"
    r" ELSE length(regexp_extract(t, '^-?(\d+)', 1)) - 1 END"
)
_AS_TEXT = (
    "list_transform([CAST(_1 AS VARCHAR)], lambda t : CASE t WHEN 'nan' THEN 'NaN' WHEN 'inf' THEN 'Infinity'"
    " WHEN '-inf' THEN '-Infinity' WHEN '0.0' THEN '0E0' WHEN '-0.0' THEN '-0E0'"
    f" ELSE {_SIGN} || left({_DIGITS}, 1) || '.' || CASE WHEN length({_DIGITS}) > 1 THEN substr({_DIGITS}, 2)"
    f" ELSE '0' END || 'E' || CAST({_POWER} AS VARCHAR) END)[1]"
)
#: Makes a text that is no whole number one that DuckDB does not take for one either (1.5, 1e2, 0x1F, 1_0).
_ONLY_DIGITS = (
    r"regexp_replace(CAST(_1 AS VARCHAR), '(?s)^(\s*[-+]?([0-9].*[^-+0-9\s].*|\.[0-9].*))$', '''\1''')"
)
#: An array without what is in it twice, in its order.
DISTINCT = "list_filter(_1, lambda x, i : list_position(_1, x) = i)"


def stamp(tree: exp.Query) -> None:
    """Give calls their kind where sqlglot gives none, as far as the rewriting asks for it.

    Parameters
    ----------
    tree
        The query; changed in place.
    """
    for node in tree.walk():
        if not _is_unknown(node):
            continue
        if isinstance(node, exp.Anonymous) and (kind := _NAMED.get(node.name.lower())):
            node.type = exp.DataType(this=kind)
        elif isinstance(node, _LISTS):
            node.type = exp.DataType(this=exp.DType.ARRAY)
        elif isinstance(node, _WORDS):
            node.type = exp.DataType(this=exp.DType.VARCHAR)


def filled(template: str, arguments: list[exp.Expr]) -> exp.Expr:
    """Fill a template of DuckDB's SQL.

    Parameters
    ----------
    template
        The SQL; ``_1`` is the first argument.
    arguments
        What stands in their places; copied.

    Returns
    -------
    exp.Expr
    """
    made = sqlglot.parse_one(template, dialect="duckdb")
    for column in [*made.find_all(exp.Column)]:
        name = column.name
        if name.startswith("_") and name[1:].isdigit():
            given = arguments[int(name[1:]) - 1].copy()
            if column is made:
                return given
            column.replace(given)
    return exp.paren(made, copy=False) if isinstance(made, exp.Binary | exp.Not) else made


def _is_unknown(node: exp.Expr) -> bool:
    return node.type is None or node.type.is_type(exp.DType.UNKNOWN)


def _at(node: exp.Expr, sql: str) -> tuple[int, int]:
    starts = [part.meta["start"] for part in node.walk() if "start" in part.meta]
    return place(sql, min(starts)) if starts and sql else (1, 1)


def _fail(node: exp.Expr, what: str) -> str:
    """Return what stops the query; what TRY is over gives NULL, and DuckDB's takes no error() in it."""
    return "NULL" if node.find_ancestor(exp.Try) else f"error('{what}')"


def _is_exact(node: exp.Expr) -> bool:
    """Tell whether a literal is no double: Athena's 2.5 is a decimal, sqlglot's a double."""
    while isinstance(node, exp.Paren | exp.Neg):
        node = node.this
    return isinstance(node, exp.Literal) and "e" not in node.name.lower()


def _cast(node: Any, sql: str) -> exp.Expr | None:
    """Round half up, read only whole numbers as such, write doubles as Athena does."""
    del sql
    value, kind = node.this, node.to
    if kind.is_type(exp.DType.DECIMAL) and not kind.expressions:  # Athena's is (38,0), DuckDB's (18,3)
        node.set("to", exp.DataType.build("DECIMAL(38, 0)", dialect="duckdb"))
    if value.is_string and kind.is_type(*_TEXTS):
        return None
    cast, unknown = "TRY_CAST" if isinstance(node, exp.TryCast) else "CAST", _is_unknown(value)
    if kind.is_type(*_WHOLE) and not isinstance(value, exp.Null):
        to, text = kind.sql("duckdb"), f"{cast}({_ONLY_DIGITS} AS {kind.sql('duckdb')})"
        if value.is_type(*_TEXTS):
            return filled(text, [value])
        if value.is_type(*_DOUBLES):
            return filled(f"{cast}(round(_1) AS {to})", [value])
        if unknown:
            double = f"{cast}(round(TRY_CAST(CAST(_1 AS VARCHAR) AS DOUBLE)) AS {to})"
            return filled(
                f"CASE WHEN typeof(_1) IN ('DOUBLE', 'FLOAT') THEN {double}"
                f" WHEN typeof(_1) = 'VARCHAR' THEN {text} ELSE {cast}(_1 AS {to}) END", [value],
            )  # fmt: skip
    if kind.is_type(*_TEXTS) and not _is_exact(value) and (unknown or value.is_type(*_DOUBLES)):
        # DuckDB writes a large real with digits that are none of its own
        failed = _fail(node, "a cast of a large real to varchar is not supported here")
        large = "abs(TRY_CAST(CAST(_1 AS VARCHAR) AS DOUBLE)) BETWEEN 1e7 AND 1e39"
        made = (
            f"CASE WHEN typeof(_1) = 'FLOAT' AND {large} THEN {failed}"
            f" WHEN typeof(_1) IN ('DOUBLE', 'FLOAT') THEN {_AS_TEXT} ELSE CAST(_1 AS VARCHAR) END"
        )
        return filled(made, [value])
    return None


def _regexp_replace(node: exp.RegexpReplace, sql: str) -> None:
    """Write the groups of a replacement as RE2 has them."""
    given: Any = node.args.get("replacement")
    while isinstance(given, exp.Cast | exp.Paren):
        given = given.this
    if given is None:
        return
    if not given.is_string:
        raise Unsupported("regexp_replace with a replacement that is not a literal", *_at(node, sql))
    if re.search(r"(?<!\\)\$(?!\d(?!\d))", given.name):
        raise Unsupported("regexp_replace with a group of more than one digit or a name", *_at(node, sql))
    parts = re.findall(r"\\(.?)|\$(\d)|([^\\$]+)", given.name, flags=re.DOTALL)
    text = "".join(
        rf"\{group}" if group else (one or plain).replace("\\", r"\\") for one, group, plain in parts
    )
    node.set("replacement", exp.Literal.string(text))


def _regexp_extract(node: exp.RegexpExtract, sql: str) -> exp.Expr:
    """Give NULL where nothing matches; a group that may be missing can't be told from an empty one."""
    del sql
    group: Any = node.args.get("group") or exp.Literal.number(0)
    found = "regexp_extract(_1, _2, _3)"
    pattern = node.expression.name if node.expression.is_string else "|"
    if group.name != "0" and re.search(r"\)[?*{]|\|", pattern):
        failed = _fail(node, "regexp_extract of a group that may be missing is not supported here")
        found = f"CASE WHEN {found} = '' THEN {failed} ELSE {found} END"
    return filled(f"CASE WHEN regexp_matches(_1, _2) THEN {found} END", [node.this, node.expression, group])


def _split(node: exp.Split, sql: str) -> exp.Expr | None:
    """Leave the rest in the last part when there is a limit."""
    del sql
    limit = node.args.get("limit")
    if limit is None:
        return None
    parts = "str_split(_1, _2)"
    made = (
        f"CASE WHEN len({parts}) <= _3 THEN {parts} ELSE list_append(list_slice({parts}, 1, _3 - 1),"
        f" array_to_string(list_slice({parts}, _3, len({parts})), _2)) END"
    )
    return filled(made, [node.this, node.expression, limit])


def _split_part(node: exp.SplitPart, sql: str) -> exp.Expr:
    """Give NULL past the last part."""
    del sql
    index = node.args["part_index"]
    failed = _fail(node, "Index must be greater than zero")
    at = "_3" if index.is_int else f"CASE WHEN _3 < 1 THEN {failed} ELSE _3 END"
    return filled(f"list_extract(str_split(_1, _2), {at})", [node.this, node.args["delimiter"], index])


def _substring(node: exp.Substring, sql: str) -> exp.Expr | None:
    """Give nothing from place 0, from before the text, or of a length below 1."""
    del sql
    start, length = node.args.get("start"), node.args.get("length")
    sure = [one is None or (one.is_int and one.to_py() > 0) for one in (start, length)]
    if all(sure) or start is None:
        return None
    empty, call = "_2 = 0 OR _2 < -length(_1)", "substring(_1, _2)"
    if length is not None:
        empty, call = f"{empty} OR _3 <= 0", "substring(_1, _2, _3)"
    arguments = [node.this, start, *([length] if length is not None else [])]
    return filled(f"CASE WHEN {empty} THEN left(_1, 0) ELSE {call} END", arguments)


def _reverse(node: exp.Reverse, sql: str) -> exp.Expr | None:
    if node.this.is_type(exp.DType.ARRAY):
        return filled("list_reverse(_1)", [node.this])
    if _is_unknown(node.this):
        raise Unsupported("reverse of what is not known to be a text or an array", *_at(node, sql))
    return None


def _distinct(node: exp.ArrayDistinct, sql: str) -> exp.Expr:
    """Keep the order, and NULL."""
    del sql
    return filled(DISTINCT, [node.this])


def _except(node: exp.ArrayExcept, sql: str) -> exp.Expr:
    del sql
    kept = "list_filter(_1, lambda y : list_position(_2, y) IS NULL)"
    return filled(
        f"CASE WHEN _2 IS NOT NULL THEN {DISTINCT.replace('_1', kept)} END", [node.this, node.expression]
    )


def _extreme(node: exp.ArrayMax | exp.ArrayMin, sql: str) -> exp.Expr:
    """Give NULL where one element is NULL."""
    del sql
    name = "list_max" if isinstance(node, exp.ArrayMax) else "list_min"
    return filled(f"CASE WHEN len(_1) = list_count(_1) THEN {name}(_1) END", [node.this])


def _subscript(node: exp.Bracket, sql: str) -> exp.Expr | None:
    """Stop at what is not there; ``element_at`` gives NULL and is safe."""
    if node.args.get("safe") or len(node.expressions) != 1:
        return None
    of, [index] = node.this, node.expressions
    if of.is_type(exp.DType.MAP) or isinstance(of, exp.Map | exp.VarMap):
        failed = _fail(node, "Key not present in map")
        made = f"CASE WHEN _1 IS NULL OR map_contains(_1, _2) THEN element_at(_1, _2)[1] ELSE {failed} END"
        return filled(made.replace("element_at(_1, _2)[1]", "map_extract_value(_1, _2)"), [of, index])
    if of.is_type(exp.DType.STRUCT):
        raise Unsupported("a row's field by its number", *_at(node, sql))
    if not of.is_type(exp.DType.ARRAY):
        return None
    # sqlglot counts from 0
    at = exp.Literal.number(index.to_py() + 1) if index.is_int else exp.paren(index + 1)
    failed = _fail(node, "Array subscript is out of bounds")
    made = f"CASE WHEN _2 < 1 OR _2 > len(_1) THEN {failed} ELSE list_extract(_1, _2) END"
    return filled(made, [of, at])


def _sequence(node: exp.GenerateSeries, sql: str) -> exp.Expr | None:
    """Give dates of dates, and count down where the end is below the start."""
    del sql
    start, end, step = (node.args.get(key) for key in ("start", "end", "step"))
    if start is None or end is None:
        return None
    if start.is_type(exp.DType.DATE):
        by = step or sqlglot.parse_one(
            "CASE WHEN _2 < _1 THEN INTERVAL (-1) DAY ELSE INTERVAL 1 DAY END", dialect="duckdb"
        )
        made = "CAST(generate_series(CAST(_1 AS TIMESTAMP), CAST(_2 AS TIMESTAMP), _3) AS DATE[])"
        if step is None:
            by = filled(by.sql("duckdb"), [start, end])
        return filled(made, [start, end, by])
    if step is None and not start.is_type(exp.DType.TIMESTAMP, exp.DType.TIMESTAMPTZ):
        return filled("generate_series(_1, _2, CASE WHEN _2 < _1 THEN -1 ELSE 1 END)", [start, end])
    return None


def json_size(node: exp.Anonymous, sql: str) -> exp.Expr:
    """Count an object's members or an array's elements.

    Parameters
    ----------
    node
        The call.
    sql
        The text; not looked at.

    Returns
    -------
    exp.Expr
    """
    del sql
    made = (
        "CASE json_type(_1, _2) WHEN 'OBJECT' THEN len(json_keys(_1, _2))"
        " WHEN 'ARRAY' THEN json_array_length(_1, _2)"
        " ELSE CASE WHEN json_type(_1, _2) IS NOT NULL THEN 0 END END"
    )
    return filled(f"CAST({made} AS BIGINT)", node.expressions)


def _fetch(node: exp.Fetch, sql: str) -> None:
    options = node.args.get("limit_options")
    if options is not None and options.args.get("with_ties"):
        raise Unsupported("FETCH FIRST … WITH TIES", *_at(node.parent or node, sql))


def _compared(node: Any, sql: str) -> exp.Expr | None:
    """Have NaN equal to nothing and above nothing: to DuckDB it is itself and the largest."""
    del sql
    sides = [node.this, node.expression]
    if not all(side.is_type(*_DOUBLES) or side.is_type(*_WHOLE) for side in sides):
        return None
    if isinstance(node, exp.EQ | exp.NEQ):
        if any(isinstance(side, exp.Literal) or not side.is_type(*_DOUBLES) for side in sides):
            return None
        which = sides[0]
    else:
        which = sides[0] if isinstance(node, exp.GT | exp.GTE) else sides[1]
    if not which.is_type(*_DOUBLES) or isinstance(which, exp.Literal) or _is_exact(which):
        return None
    if isinstance(node, exp.NEQ):
        return exp.paren(exp.or_(node.copy(), filled("isnan(_1)", [which])), copy=False)
    return exp.paren(exp.and_(node.copy(), filled("NOT isnan(_1)", [which])), copy=False)


#: The rule of each kind of node.
MEANINGS: dict[type, Callable[[Any, str], exp.Expr | None]] = {
    exp.Cast: _cast,
    exp.TryCast: _cast,
    exp.RegexpReplace: _regexp_replace,
    exp.RegexpExtract: _regexp_extract,
    exp.Split: _split,
    exp.SplitPart: _split_part,
    exp.Substring: _substring,
    exp.Reverse: _reverse,
    exp.ArrayDistinct: _distinct,
    exp.ArrayExcept: _except,
    exp.ArrayMax: _extreme,
    exp.ArrayMin: _extreme,
    exp.Bracket: _subscript,
    exp.GenerateSeries: _sequence,
    exp.Fetch: _fetch,
    exp.EQ: _compared,
    exp.NEQ: _compared,
    exp.GT: _compared,
    exp.GTE: _compared,
    exp.LT: _compared,
    exp.LTE: _compared,
}
