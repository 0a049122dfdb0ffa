"""The old database: names that fit, files that say what the model says, figures that come back as they were."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from pathlib import Path

import pytest

from crime_jobs.errors import BadInput
from crime_jobs.migrate.oracle import artifacts, schema_sql, seed, table_mappings
from crime_jobs.migrate.oracle.literals import Value
from crime_jobs.migrate.oracle.seed import Seed
from crime_jobs.model import heads, legacy
from crime_jobs.model.landing import Entry, parse, read_header
from crime_jobs.model.layouts import KEY_COLUMNS, UnknownHeader, layouts, legacy_name, recognise
from crime_jobs.model.places import fold
from crime_jobs.model.tablemapping import Kind, Mappings, SourceColumn, SourceTable

DATA = Path(__file__).resolve().parents[2] / "data"
COUNTS = [table for table in legacy.tables().values() if table.layout]

#: Oracle 11g, V$RESERVED_WORDS with RESERVED = 'Y', and what H2 2.4 doesn't take as a name.
RESERVED = set(
    """ALL ALTER AND ANY AS ASC BETWEEN BY CHAR CHECK CLUSTER COMPRESS CONNECT CREATE DATE DECIMAL DEFAULT DELETE
    DESC DISTINCT DROP ELSE EXCLUSIVE EXISTS FLOAT FOR FROM GRANT GROUP HAVING IDENTIFIED IN INDEX INSERT INTEGER
    INTERSECT INTO IS LIKE LOCK LONG MINUS MODE NOCOMPRESS NOT NOWAIT NULL NUMBER OF ON OPTION OR ORDER PCTFREE
    PRIOR PUBLIC RAW RENAME RESOURCE REVOKE SELECT SET SHARE SIZE SMALLINT START SYNONYM TABLE THEN TO TRIGGER
    UNION UNIQUE UPDATE VALUES VARCHAR VARCHAR2 VIEW WHERE WITH ACCESS ADD AUDIT COLUMN COMMENT CURRENT FILE
    IMMEDIATE INCREMENT INITIAL LEVEL MAXEXTENTS MLSLABEL MODIFY NOAUDIT OFFLINE ONLINE PRIVILEGES ROW ROWID ROWNUM
    ROWS SESSION SUCCESSFUL SYSDATE UID USER VALIDATE WHENEVER
    ARRAY AUTHORIZATION CASE CAST CONSTRAINT CROSS DAY END ESCAPE EXCEPT FALSE FETCH FOREIGN FULL HOUR IF INNER
    INTERVAL JOIN KEY LEFT LIMIT MINUTE MONTH NATURAL OFFSET PRIMARY QUALIFY RIGHT SECOND SOME SYMMETRIC TRUE
    UESCAPE UNKNOWN USING VALUE WHEN WINDOW YEAR _ROWID_""".split()  # noqa: SIM905
)


@pytest.fixture(scope="module")
def landing() -> dict[str, bytes]:
    return seed.read_landing(DATA)


@pytest.fixture(scope="module")
def rows(landing: dict[str, bytes]) -> dict[str, list[tuple[Value, ...]]]:
    found: dict[str, list[tuple[Value, ...]]] = {name: [] for name in legacy.tables()}
    for table, row in Seed(landing).rows():
        found[table.name].append(row)
    return found


def test_every_name_fits_an_old_oracle_and_is_no_reserved_word() -> None:
    for table in legacy.tables().values():
        names = [column.name for column in table.columns]
        assert len(set(names)) == len(names)
        assert set(table.primary_key) <= set(names)
        assert not any(table.column(name).nullable for name in table.primary_key)
        constraints = [f"PK_{table.name}", *(one.name for one in table.references)]
        for name in (table.name, *names, *constraints):
            assert name.isascii()
            assert len(name) <= 30
            assert name == name.upper()
            assert name[0].isalpha()
            assert name.replace("_", "").isalnum()
            assert name not in RESERVED


def test_the_static_files_say_what_the_model_says() -> None:
    again = "bring them up to date: python -m crime_jobs.migrate.oracle.artifacts"
    assert schema_sql() == artifacts.schema(), again
    assert table_mappings() == artifacts.mapping(), again


def _kind(type_name: str) -> Kind:
    kinds: dict[str, Kind] = {"NUMBER": "number", "DATE": "date", "CLOB": "clob", "RAW": "raw"}
    if type_name.startswith("TIMESTAMP"):
        return "timestamptz" if "ZONE" in type_name else "timestamp"
    return kinds.get(type_name.partition("(")[0], "text")


def test_the_mapping_resolves_on_the_schema() -> None:
    source = [
        SourceTable(
            legacy.SCHEMA,
            table.name,
            tuple(SourceColumn(one.name, _kind(one.type), one.type) for one in table.columns),
            table.primary_key,
        )
        for table in legacy.tables().values()
    ]
    found = {one.source.name: one for one in Mappings(table_mappings()).resolve(source)}
    assert {one.target for one in found.values()} == {
        legacy.target_name(one) for one in legacy.tables().values()
    }
    keys = {name: (one.partition_key, one.sort_key) for name, one in found.items()}
    assert keys["DISTRICTS"] == ("DISTRICT_ID", None)
    assert keys["POPULATION"] == ("STATE_NAME", None)
    assert keys["CASE_RECORDS"] == ("STATION_CODE", "FIR_KEY")
    assert {keys[one.name] for one in COUNTS if one.name != "POPULATION"} == {("PLACE_KEY", "YEAR_ENTRY")}
    for name, one in found.items():
        # Every column goes over under its own name; besides them there are the made keys alone.
        columns = {column.name for column in one.source.columns}
        made = {attribute.name for attribute in one.attributes} - columns
        assert columns <= {attribute.name for attribute in one.attributes}
        assert made == {key for key in keys[name] if key} - columns
        assert {c for key in one.keys for c in key.columns} == set(one.source.primary_key)
    assert found["DISTRICTS"].attribute("DISTRICT_ID").kind == "number"
    values = {one["rule-name"]: one for one in json.loads(table_mappings())["rules"]}
    made_keys = values["map-yearly_counts"]["mapping-parameters"]["attribute-mappings"]
    assert [one["value"] for one in made_keys] == [
        "${STATE_NAME}|${DISTRICT_NAME}",
        "${CRIME_YEAR}|${ENTRY_NO}",
    ]


def test_every_row_of_the_landing_is_there(rows: dict[str, list[tuple[Value, ...]]]) -> None:
    counted = {name: len(found) for name, found in rows.items()}
    assert sum(counted[table.name] for table in COUNTS) == 22_370
    assert counted == {
        "DISTRICTS": 858,
        "CRIME_HEADS": 105,
        "YEARLY_COUNTS": 9_840,
        "YEARLY_COUNTS_2014": 838,
        "WOMEN_COUNTS": 9_840,
        "WOMEN_COUNTS_2014": 837,
        "ACCIDENTS_BY_MONTH": 490,
        "ACCIDENTS_BY_TIME": 490,
        "POPULATION": 35,
        "CASE_RECORDS": 2_000,
    }


def test_keys_are_unique_and_only_the_double_key_has_a_second_entry(
    rows: dict[str, list[tuple[Value, ...]]],
) -> None:
    second = []
    for table in legacy.tables().values():
        names = [column.name for column in table.columns]
        places = [names.index(name) for name in table.primary_key]
        keys = Counter(tuple(row[place] for place in places) for row in rows[table.name])
        assert max(keys.values()) == 1
        if "ENTRY_NO" in table.primary_key:
            second += [(table.name, *key) for key in keys if key[-1] != 1]
    double = ("JAMMU & KASHMIR", "RAILWAYS", 2010, 2)
    assert second == [("YEARLY_COUNTS", *double), ("WOMEN_COUNTS", *double)]


def test_values_fit_their_columns(rows: dict[str, list[tuple[Value, ...]]]) -> None:
    for table in legacy.tables().values():
        for row in rows[table.name]:
            for column, value in zip(table.columns, row, strict=True):
                size = column.type.partition("(")[2].rstrip(")").removesuffix(" CHAR")
                assert column.nullable or value not in (None, "")
                if isinstance(value, str) and size:
                    assert len(value) <= int(size), (table.name, column.name)
                if isinstance(value, int):
                    assert 0 <= value < 10 ** int(size), (table.name, column.name)


def test_records_of_cases_are_awkward_and_always_the_same(
    landing: dict[str, bytes], rows: dict[str, list[tuple[Value, ...]]]
) -> None:
    table = legacy.tables()["CASE_RECORDS"]
    again = [row for which, row in Seed(landing).rows() if which is table]
    assert again == rows["CASE_RECORDS"]
    assert [row for which, row in Seed(landing, seed=1).rows() if which is table] != again
    columns = dict(zip((column.name for column in table.columns), zip(*again, strict=True), strict=True))
    for column in table.columns:
        assert (None in columns[column.name]) is column.nullable
    texts = [str(text) for text in columns["FIR_TEXT"] if text]
    assert max(len(text.encode()) for text in texts) > 4000
    assert any("शिकायत" in text and "\n" in text and "&" in text for text in texts)
    assert {len(str(number)) for number in columns["REFERENCE_NO"] if number} == {38}
    assert set(columns["IDENTITY_PROTECTED"]) == {"Y", "N"}


def _untold(entry: Entry) -> Entry:
    return entry._replace(source_file="", line=0, row_number=0)


def _exported(table: legacy.Table, found: list[tuple[Value, ...]]) -> bytes:
    """A table as CSV, with the key attributes that it has in DynamoDB."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([*(column.name for column in table.columns), "PLACE_KEY", "YEAR_ENTRY"])
    writer.writerows([*row, "|".join(map(str, row[:2])), "2001|1"] for row in found)
    return out.getvalue().encode()


@pytest.mark.parametrize("table", COUNTS, ids=lambda table: table.name)
def test_a_table_written_as_csv_parses_to_the_entries_of_the_original_files(
    table: legacy.Table, landing: dict[str, bytes], rows: dict[str, list[tuple[Value, ...]]]
) -> None:
    original = [
        _untold(entry)
        for name, content in landing.items()
        if read_header(content).layout == table.layout
        for entry in parse(name, content)
    ]
    content = _exported(table, rows[table.name])
    assert read_header(content).layout == table.layout
    assert original
    assert [_untold(entry) for entry in parse("exported.csv", content)] == original


@pytest.mark.parametrize("table", COUNTS, ids=lambda table: table.name)
def test_a_header_of_the_old_database_is_its_layout_and_nothing_else_is_let_in(table: legacy.Table) -> None:
    names = [column.name for column in table.columns]
    assert recognise(names).layout == table.layout
    assert recognise([*names, "PLACE_KEY", "YEAR_ENTRY"]).layout == table.layout
    assert recognise([name for name in names if name not in KEY_COLUMNS]).layout == table.layout
    for unknown in ("FIR_KEY", "STATION_CODE", "WITCHCRAFT", "PLACE_KEYS"):
        with pytest.raises(UnknownHeader, match=f"unknown column '{unknown}'"):
            recognise([*names, unknown])
    with pytest.raises(UnknownHeader, match="column twice 'ENTRY_NO'"):
        recognise([*names, "ENTRY_NO", "ENTRY_NO"])
    with pytest.raises(UnknownHeader, match="missing column 'STATE/UT'"):
        recognise(names[1:])


def test_a_figure_under_both_of_its_names_is_refused() -> None:
    names = [column.name for column in legacy.table_of("ipc_2001").columns]
    with pytest.raises(UnknownHeader, match="column twice 'TOTAL', 'TOTAL IPC CRIMES'"):
        recognise([*names, "TOTAL IPC CRIMES"])
    with pytest.raises(UnknownHeader, match="column twice 'STATE/UT', 'STATE_NAME'"):
        recognise([*names, "STATE/UT"])


def test_no_name_of_the_old_database_is_another_heads_name_in_the_source() -> None:
    for layout in layouts().values():
        legacy_names = {fold(legacy_name(layout.name, code)): code for code in layout.measures.values()}
        assert len(legacy_names) == len(layout.measures)
        assert {n: layout.measures.get(n, code) for n, code in legacy_names.items()} == legacy_names


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a,b\n1,2\n", "odd.csv: line 1: its header"),
        (b"state,district,year,head,cases\n", "no table for files of the layout 'long'"),
        (b"State_UT,Population_Persons_2001\nGOA,1\n", "POPULATION_PERSONS_2011 on one side alone"),
        (b"State_UT,Population_Persons_2001,Population_Persons_2011\nGOA,1\n", "odd.csv, line 2: 2 fields"),
        (b"State_UT,Population_Persons_2001,Population_Persons_2011\nGOA,1,x\n", "line 2: 'x' is not a whole"),
        (b"State_UT,Population_Persons_2001,Population_Persons_2011\nGOA,1,2\n", "no records of cases can be drawn"),
    ],
)  # fmt: skip
def test_a_file_that_can_not_be_used_is_named(content: bytes, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        list(Seed({"odd.csv": content}).rows())
    assert heads.TOTAL == "=total"


def test_the_command_writes_a_script_that_sqlplus_reads_by_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "x.sql"
    seed.main(["--landing", str(DATA), "--out", str(script), "--cases", "50"])
    assert "CASE_RECORDS: 50\n" in capsys.readouterr().out
    lines = script.read_text(encoding="utf-8").split("\n")
    assert max(len(line.encode()) for line in lines) < 2500
    assert lines.pop() == ""
    assert lines[-1] == "COMMIT;"
    assert "" not in lines
    assert not [line for line in lines if line.endswith(";") and line not in (");", "COMMIT;")]
    assert not [line for line in lines if line.endswith("-") or "&" in line]
    with pytest.raises(SystemExit, match="There is no CSV file in"):
        seed.main(["--landing", str(tmp_path / "none"), "--out", str(script)])
