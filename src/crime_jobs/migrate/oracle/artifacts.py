"""``python -m crime_jobs.migrate.oracle.artifacts``: bring schema.sql and table-mappings.json up to date.

Both say what `crime_jobs.model.legacy` says; a test fails when they don't.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crime_jobs.migrate.oracle.literals import text_literal
from crime_jobs.model.legacy import SCHEMA, Column, Table, tables, target_name

_HEAD = f"""\
-- The old database, schema {SCHEMA}: run it as the user {SCHEMA}. For Oracle 11g and later,
-- and for H2 2.4 with MODE=Oracle.
-- Written from model/legacy.py by `python -m crime_jobs.migrate.oracle.artifacts`.
"""


def schema() -> str:
    """Return the text of schema.sql."""
    return "\n".join([_HEAD, *(_create(table) for table in tables().values())])


def _create(table: Table) -> str:
    lines = [_defined(column) for column in table.columns]
    lines.append(f"  CONSTRAINT PK_{table.name} PRIMARY KEY ({', '.join(table.primary_key)})")
    lines += [
        f"  CONSTRAINT {one.name} FOREIGN KEY ({one.column}) REFERENCES {one.table} ({one.column})"
        for one in table.references
    ]
    comments = [f"COMMENT ON TABLE {table.name} IS {text_literal(table.comment)};"]
    comments += [
        f"COMMENT ON COLUMN {table.name}.{column.name} IS {text_literal(column.comment)};"
        for column in table.columns
    ]
    created = ",\n".join(lines)
    return f"CREATE TABLE {table.name} (\n{created}\n);\n" + "\n".join(comments) + "\n"


def _defined(column: Column) -> str:
    return f"  {column.name} {column.type}{'' if column.nullable else ' NOT NULL'}"


def mapping() -> str:
    """Return the text of table-mappings.json."""
    rules = [{"rule-id": str(number), **rule} for number, rule in enumerate(_rules(), start=1)]
    return json.dumps({"rules": rules}, indent=2) + "\n"


def _rules() -> Iterator[dict[str, Any]]:
    for table in tables().values():
        yield {
            "rule-type": "selection",
            "rule-name": f"take-{table.name.lower()}",
            "object-locator": {"schema-name": SCHEMA, "table-name": table.name},
            "rule-action": "include",
        }
    for table in tables().values():
        keys = dict(_keys(table))
        names = list(keys)
        yield {
            "rule-type": "object-mapping",
            "rule-name": f"map-{table.name.lower()}",
            "object-locator": {"schema-name": SCHEMA, "table-name": table.name},
            "rule-action": "map-record-to-record",
            "target-table-name": target_name(table),
            "mapping-parameters": {
                "partition-key-name": names[0],
                **({"sort-key-name": names[1]} if len(names) > 1 else {}),
                # What is not mapped here goes over as it is, under its own name.
                "attribute-mappings": [
                    {
                        "target-attribute-name": name,
                        "attribute-type": "scalar",
                        "attribute-sub-type": kind,
                        "value": value,
                    }
                    for name, (value, kind) in keys.items()
                ],
            },
        }


def _keys(table: Table) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield the key's attributes with their values: one or two, however many columns Oracle's key has."""
    if len(table.primary_key) == 1:
        (name,) = table.primary_key
        kind = "number" if table.column(name).type.startswith("NUMBER") else "string"
        yield name, (f"${{{name}}}", kind)
    elif table.layout:
        place = [name for name in ("STATE_NAME", "DISTRICT_NAME") if name in table.primary_key]
        yield "PLACE_KEY", ("|".join(f"${{{name}}}" for name in place), "string")
        yield "YEAR_ENTRY", ("${CRIME_YEAR}|${ENTRY_NO}", "string")
    else:
        yield "STATION_CODE", ("${STATION_CODE}", "string")
        yield "FIR_KEY", ("${FIR_YEAR}|${FIR_NUMBER}", "string")


def main() -> None:
    """Write both files beside this module."""
    folder = Path(__file__).parent
    (folder / "schema.sql").write_text(schema(), encoding="utf-8")
    (folder / "table-mappings.json").write_text(mapping(), encoding="utf-8")


if __name__ == "__main__":
    main()
