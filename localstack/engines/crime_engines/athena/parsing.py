"""From a text to a statement."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crime_engines.athena.creating import create_table
from crime_engines.athena.statements import (
    AlterPartitions,
    AlterProperties,
    CreateDatabase,
    CreateView,
    Ctas,
    Deallocate,
    Drop,
    Execute,
    Explain,
    Insert,
    Name,
    Partition,
    Prepare,
    Repair,
    Select,
    Show,
    Statement,
    Unload,
)
from crime_engines.athena.words import Words, blanked
from crime_jobs.adhoc._refused import place
from crime_jobs.adhoc.dialect import SqlWrong, Unsupported, parse

#: Athena's, by their first words, and not run here.
_NOT_HERE = (
    *(
        "DELETE",
        "UPDATE",
        "MERGE",
        "OPTIMIZE",
        "VACUUM",
        "CALL",
        "REFRESH",
        "GRANT",
        "REVOKE",
        "TRUNCATE",
        "ANALYZE",
    ),
)


def statement_of(text: str) -> Statement:
    """Return what a text asks for.

    Parameters
    ----------
    text
        The statement.

    Raises
    ------
    SqlWrong
        If it is none, or not one that is run here.
    """
    text = text.rstrip().rstrip(";").rstrip()
    bare = _without_comments(text)
    first = (bare.split(None, 1) or [""])[0].upper().partition("(")[0]
    if not bare:
        raise SqlWrong("", "mismatched input '<EOF>'", 1, 1)
    if first in _NOT_HERE:
        raise Unsupported(f"{first} ", *place(text, text.upper().find(first)))
    rule = _RULES.get(first)
    return rule(text) if rule else Select(parse(text))


def _without_comments(text: str) -> str:
    left = text.lstrip()
    while left.startswith(("--", "/*")):
        end = left.find("\n") if left.startswith("--") else left.find("*/") + 1
        left = left[end + 1 :].lstrip() if end > 0 else ""
    return left


def _create(text: str) -> Statement:
    words = Words(text, hive=True)
    words.need("CREATE")
    if words.word in ("DATABASE", "SCHEMA"):
        return _create_database(words)
    if words.word == "EXTERNAL":
        return create_table(words)
    query = Words(text, hive=False)
    query.need("CREATE")
    replace = query.skip("OR", "REPLACE")
    if query.skip("VIEW"):
        name = query.table()
        query.need("AS")
        inner = text[query.start :]
        return CreateView(name, inner, parse(blanked(text, query.start)), replace)
    if words.word == "TABLE" and not replace:
        return _ctas(query, words)
    raise words.wrong("'DATABASE', 'EXTERNAL', 'OR', 'SCHEMA', 'TABLE', 'VIEW'")


def _ctas(words: Words, hive: Words) -> Statement:
    words.need("TABLE")
    if_not_exists = words.skip("IF", "NOT", "EXISTS")
    name = words.table()
    if words.word == "(" or hive.word == "":
        raise SqlWrong(
            "", "CREATE TABLE without EXTERNAL or AS makes an Iceberg table: not supported here", 1, 1
        )
    options = _options(words) if words.skip("WITH") else {}
    words.need("AS")
    tree, with_data = words.rest, True
    stripped = " ".join(tree.split()).upper()
    for end, there in ((" WITH NO DATA", False), (" WITH DATA", True)):
        if stripped.endswith(end):
            tree, with_data = tree[: tree.upper().rfind("WITH")], there
            break
    return Ctas(name, parse(tree), options, if_not_exists, with_data)


def _options(words: Words) -> dict[str, Any]:
    """Take ``(name = value, …)``, where a value may be ``ARRAY['a', 'b']``."""
    words.need("(")
    found: dict[str, Any] = {}
    while not words.skip(")"):
        name = words.name()
        words.need("=")
        if words.skip("ARRAY"):
            words.need("[")
            values = []
            while not words.skip("]"):
                values.append(words.string())
                words.skip(",")
            found[name] = values
        else:
            found[name] = words.value()
        if not words.skip(",") and words.word != ")":
            raise words.wrong("',' or ')'")
    return found


def _create_database(words: Words) -> CreateDatabase:
    words.take()
    if_not_exists = words.skip("IF", "NOT", "EXISTS")
    given: dict[str, Any] = {"Name": words.name()}
    if words.skip("COMMENT"):
        given["Description"] = words.string()
    if words.skip("LOCATION"):
        given["LocationUri"] = words.string()
    if words.skip("WITH"):
        words.need("DBPROPERTIES")
        given["Parameters"] = words.pairs()
    words.end()
    return CreateDatabase(given, if_not_exists)


def _drop(text: str) -> Statement:
    words = Words(text, hive=True)
    words.need("DROP")
    if words.skip("VIEW"):
        query = Words(text, hive=False)
        query.need("DROP", "VIEW")
        lenient = query.skip("IF", "EXISTS")
        name = query.table()
        query.end()
        return Drop("VIEW", name, lenient)
    if not words.skip("TABLE"):
        if not (words.skip("DATABASE") or words.skip("SCHEMA")):
            raise words.wrong("'DATABASE', 'SCHEMA', 'TABLE', 'VIEW'")
        lenient = words.skip("IF", "EXISTS")
        name = (None, words.name())
        cascade = words.skip("CASCADE")
        words.skip("RESTRICT")
        words.end()
        return Drop("DATABASE", name, lenient, cascade)
    lenient = words.skip("IF", "EXISTS")
    found = words.table()
    words.end()
    return Drop("TABLE", found, lenient)


def _alter(text: str) -> Statement:
    words = Words(text, hive=True)
    words.need("ALTER", "TABLE")
    name = words.table()
    if words.skip("SET", "TBLPROPERTIES"):
        made = AlterProperties(name, words.pairs())
        words.end()
        return made
    if words.skip("SET", "LOCATION"):
        made = AlterProperties(name, location=words.string())
        words.end()
        return made
    add = words.skip("ADD")
    if not add and not words.skip("DROP"):
        raise Unsupported(f"ALTER TABLE … {words.word}", *place(text, words.start))
    lenient = words.skip("IF", "NOT", "EXISTS") if add else words.skip("IF", "EXISTS")
    if words.word != "PARTITION":
        raise Unsupported(f"ALTER TABLE … {'ADD' if add else 'DROP'} {words.word}", *place(text, words.start))
    found = []
    while words.skip("PARTITION"):
        values = _partition(words)
        found.append(Partition(values, words.string() if words.skip("LOCATION") else None))
        words.skip(",")
    words.end()
    return AlterPartitions(name, add, tuple(found), lenient)


def _partition(words: Words) -> dict[str, str]:
    words.need("(")
    found: dict[str, str] = {}
    while not words.skip(")"):
        key = words.name()
        words.need("=")
        found[key] = words.value()
        if not words.skip(",") and words.word != ")":
            raise words.wrong("',' or ')'")
    return found


def _msck(text: str) -> Statement:
    words = Words(text, hive=True)
    words.need("MSCK", "REPAIR", "TABLE")
    made = Repair(words.table())
    words.end()
    return made


def _show(text: str) -> Statement:
    words = Words(text, hive=True)
    words.need("SHOW")
    what = words.take().upper()
    name: Name | None = None
    pattern = None
    if what in ("DATABASES", "SCHEMAS"):
        what = "DATABASES"
    elif what in ("TABLES", "VIEWS"):
        if words.skip("IN") or words.skip("FROM"):
            name = (words.name(), "")
    elif what in ("PARTITIONS", "TBLPROPERTIES"):
        name = words.table()
    elif what == "COLUMNS":
        if not (words.skip("IN") or words.skip("FROM")):
            raise words.wrong("'IN', 'FROM'")
        name = words.table()
    elif what == "CREATE" and words.word in ("TABLE", "VIEW"):
        what = f"CREATE {words.take().upper()}"
        name = words.table()
    else:
        raise Unsupported(f"SHOW {what}", *place(text, words.start))
    words.skip("LIKE")
    if words.is_string:
        pattern = words.string()
    words.end()
    return Show(what, name, pattern)


def _describe(text: str) -> Statement:
    words = Words(text, hive=True)
    words.take()
    if words.word in ("INPUT", "OUTPUT"):
        raise Unsupported(f"DESCRIBE {words.word}", *place(text, words.start))
    words.skip("EXTENDED") or words.skip("FORMATTED")
    made = Show("DESCRIBE", words.table())
    words.end()
    return made


def _explain(text: str) -> Statement:
    words = Words(text, hive=False)
    words.need("EXPLAIN")
    if words.word in ("ANALYZE", "("):
        raise Unsupported(f"EXPLAIN {words.word}", *place(text, words.start))
    return Explain(parse(words.rest))


def _insert(text: str) -> Statement:
    words = Words(text, hive=False)
    words.need("INSERT", "INTO")
    name = words.table()
    columns: list[str] = []
    if words.word == "(":
        words.need("(")
        while not words.skip(")"):
            columns.append(words.name())
            words.skip(",")
    return Insert(name, tuple(columns), parse(words.rest))


def _unload(text: str) -> Statement:
    words = Words(text, hive=False)
    words.need("UNLOAD")
    tree = parse(words.inside())
    words.need("TO")
    target = words.string()
    words.need("WITH")
    options = _options(words)
    words.end()
    return Unload(tree, target, options)


def _prepare(text: str) -> Statement:
    words = Words(text, hive=False)
    words.need("PREPARE")
    name = words.name()
    words.need("FROM")
    return Prepare(name, text[words.start :])


def _execute(text: str) -> Statement:
    words = Words(text, hive=False)
    words.need("EXECUTE")
    name = words.name()
    values: list[str] = []
    if words.skip("USING"):
        begin, depth = words.start, 0
        while not words.at_end:
            end = words.start
            word = words.word
            words.take()
            depth += (word in ("(", "[")) - (word in (")", "]"))
            if word == "," and depth == 0:
                values.append(text[begin:end].strip())
                begin = words.start
        values.append(text[begin:].strip())
    words.end()
    return Execute(name, tuple(values))


def _deallocate(text: str) -> Statement:
    words = Words(text, hive=False)
    words.need("DEALLOCATE", "PREPARE")
    made = Deallocate(words.name())
    words.end()
    return made


_RULES: dict[str, Callable[[str], Statement]] = {
    "CREATE": _create,
    "DROP": _drop,
    "ALTER": _alter,
    "MSCK": _msck,
    "SHOW": _show,
    "DESCRIBE": _describe,
    "DESC": _describe,
    "EXPLAIN": _explain,
    "INSERT": _insert,
    "UNLOAD": _unload,
    "PREPARE": _prepare,
    "EXECUTE": _execute,
    "DEALLOCATE": _deallocate,
}
