"""DMS's table mappings: what moves where, and what is refused, by the number of its rule."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest

from crime_jobs.model.tablemapping import BadMapping, Kind, Mappings, SourceColumn, SourceTable


def table(name: str, *key: str, schema: str = "CRIME", **columns: Kind) -> SourceTable:
    found = tuple(SourceColumn(column, kind, kind.upper()) for column, kind in columns.items())
    return SourceTable(schema, name, found, key)


DISTRICTS = table("DISTRICTS", "ID", ID="number", NAME="text", AREA="number")
CASES = table("CASES", "STATION", "NR", STATION="text", NR="number", OPENED="date", STORY="clob", SCAN="raw")


def selection(action: str = "include", name: str = "%", schema: str = "CRIME", **more: Any) -> dict[str, Any]:
    locator = {"schema-name": schema, "table-name": name}
    return {"rule-type": "selection", "object-locator": locator, "rule-action": action, **more}


def made(name: str, value: str, sub_type: str = "string") -> dict[str, str]:
    return {
        "target-attribute-name": name,
        "attribute-type": "scalar",
        "attribute-sub-type": sub_type,
        "value": value,
    }


def mapping(
    name: str, key: str, *attributes: dict[str, str], target: str = "t", **more: Any
) -> dict[str, Any]:
    parameters = {
        "partition-key-name": key,
        "attribute-mappings": list(attributes),
        **{option.replace("_", "-"): value for option, value in more.items()},
    }
    return {
        "rule-type": "object-mapping",
        "object-locator": {"schema-name": "CRIME", "table-name": name},
        "rule-action": "map-record-to-record",
        "target-table-name": target,
        "mapping-parameters": parameters,
    }


def ranges(name: str, column: str, *bounds: str) -> dict[str, Any]:
    load = {"type": "ranges", "columns": [column], "boundaries": [[bound] for bound in bounds]}
    locator = {"schema-name": "CRIME", "table-name": name}
    return {"rule-type": "table-settings", "object-locator": locator, "parallel-load": load}


def mappings(*rules: dict[str, Any]) -> Mappings:
    """The document of some rules, numbered from 1."""
    named = [{"rule-id": str(n), "rule-name": f"rule {n}", **rule} for n, rule in enumerate(rules, 1)]
    return Mappings(json.dumps({"rules": named}))


@pytest.mark.parametrize(
    ("rules", "moves"),
    [
        ([selection()], ["CASES", "DISTRICTS"]),
        ([selection(name="CASES")], ["CASES"]),
        ([selection(name="D%")], ["DISTRICTS"]),
        ([selection(name="CASE_")], ["CASES"]),
        ([selection(name="%", schema="%")], ["CASES", "DISTRICTS"]),
        ([selection("explicit", "CASES")], ["CASES"]),
        # An exclusion holds wherever it stands.
        ([selection("exclude", "CASES"), selection()], ["DISTRICTS"]),
        ([selection(), selection("exclude", "C%")], ["DISTRICTS"]),
    ],
)
def test_included_and_not_excluded(rules: list[dict[str, Any]], moves: list[str]) -> None:
    """A table moves if a rule includes it and none excludes it; % and _ are DMS's wildcards."""
    rules = [*rules, mapping("CASE%", "STATION", target="cases")]
    found = mappings(*rules).resolve([DISTRICTS, CASES])
    assert [one.source.name for one in found] == moves


def test_case_counts_and_a_dot_is_no_wildcard() -> None:
    """Names are matched sign by sign: what stands for a regular expression elsewhere is a letter here."""
    odd = table("A.B", "ID", ID="number")
    assert not mappings(selection(name="cases")).selects(CASES)
    assert mappings(selection(name="A.B")).selects(odd)
    assert not mappings(selection(name="A.B")).selects(table("AXB", "ID", ID="number"))


def test_one_to_one_when_no_rule_maps() -> None:
    """Without a mapping, the table keeps its name, its columns and its key."""
    (found,) = mappings(selection()).resolve([DISTRICTS])
    assert (found.target, found.partition_key, found.sort_key) == ("DISTRICTS", "ID", None)
    assert [(one.name, one.kind, one.is_plain) for one in found.attributes] == [
        ("ID", "number", True),
        ("NAME", "text", True),
        ("AREA", "number", True),
    ]
    assert not found.may_collide


def test_attributes_are_made_and_the_rest_is_carried_over() -> None:
    """Keys come first; a mapped column is carried over besides, unless it is excluded."""
    rule = mapping(
        "CASES",
        "PLACE",
        made("WHEN_", "${OPENED}|${NR}"),
        made("PLACE", "ST#${STATION}"),
        made("NR", "${NR}", "number"),
        sort_key_name="WHEN_",
        exclude_columns=["SCAN", "STATION"],
    )
    (found,) = mappings(selection(), rule).resolve([CASES])
    assert [one.name for one in found.attributes] == ["PLACE", "WHEN_", "NR", "OPENED", "STORY"]
    assert [one.name for one in found.keys] == ["PLACE", "WHEN_"]
    assert found.attribute("WHEN_").columns == ("OPENED", "NR")
    assert found.attribute("PLACE").parts == (("ST#", False), ("STATION", True))
    assert (found.attribute("NR").kind, found.attribute("PLACE").kind) == ("number", "text")


@pytest.mark.parametrize(
    ("value", "sub_type", "kind"),
    [
        ("${NR}", "string", "text"),  # a number that is to be a text
        ("${NR}", "number", "number"),
        ("${STATION}", "number", "number"),
        ("${OPENED}", "string", "date"),
        ("${SCAN}", "string", "raw"),
        ("${OPENED}!", "string", "text"),
    ],
)
def test_what_a_made_attribute_holds(value: str, sub_type: str, kind: Kind) -> None:
    """One column unchanged keeps its kind; a number becomes what the rule says."""
    rule = mapping("CASES", "K", made("K", "${STATION}"), made("A", value, sub_type))
    (found,) = mappings(selection(), rule).resolve([CASES])
    assert found.attribute("A").kind == kind


@pytest.mark.parametrize(
    ("keys", "may"),
    [
        ((made("K", "${STATION}"), made("S", "${NR}")), False),
        ((made("K", "S#${STATION}"), made("S", "N#${NR}")), False),
        ((made("K", "${STATION}"), made("S", "${NR}", "number")), False),
        # Run together: x|y and z, or x and y|z.
        ((made("K", "${STATION}|${NR}"), made("S", "${NR}")), True),
        # The number is left out: every case of a station has one key.
        ((made("K", "${STATION}"), made("S", "${OPENED}")), True),
        # Read as numbers, the stations 01 and 1 are one.
        ((made("K", "${STATION}", "number"), made("S", "${NR}")), True),
    ],
)
def test_keys_that_may_collide_are_known(keys: tuple[dict[str, str], ...], may: bool) -> None:
    """Collisions are looked for wherever two primary keys could make one key, and nowhere else."""
    (found,) = mappings(selection(), mapping("CASES", "K", *keys, sort_key_name="S")).resolve([CASES])
    assert found.may_collide is may


REFUSED = {
    "filters": (
        [selection(filters=[{"filter-type": "source", "column-name": "NR"}])],
        "rule 1: filters: filters are not done here",
    ),
    "transformation": (
        [selection(), {**selection("rename"), "rule-type": "transformation"}],
        "rule 2: rule-type 'transformation' is not done here",
    ),
    "no rule type that could be one": ([{**selection(), "rule-type": []}], "rule 1: rule-type [] is not"),
    "unknown action": ([selection("upsert")], "rule 1: rule-action: Input should be 'include'"),
    "documents": (
        [selection(), {**mapping("CASES", "STATION"), "rule-action": "map-record-to-document"}],
        "rule 2: rule-action: Input should be 'map-record-to-record'",
    ),
    "a document attribute": (
        [selection(), mapping("CASES", "K", {**made("K", "${NR}"), "attribute-type": "document"})],
        "rule 2: mapping-parameters.attribute-mappings.0.attribute-type",
    ),
    "an option that is not known": ([selection(load_order=1)], "rule 1: load_order: Extra inputs"),
    "no such table": ([selection(name="PEOPLE")], "rule 1: the source has no table CRIME.PEOPLE"),
    "no such table to exclude": (
        [selection(), selection("exclude", "PEOPLE")],
        "rule 2: the source has no table CRIME.PEOPLE",
    ),
    "nothing selected": ([selection(name="X%")], "no table of the source is selected"),
    "no such column": (
        [selection(), mapping("CASES", "K", made("K", "${WHO}"))],
        "rule 2: CRIME.CASES has no column 'WHO'",
    ),
    "no such column to exclude": (
        [selection(), mapping("CASES", "STATION", exclude_columns=["WHO"])],
        "rule 2: CRIME.CASES has no column 'WHO'",
    ),
    "a key that nothing makes": (
        [selection(), mapping("CASES", "K")],
        "rule 2: no attribute is called 'K', the key of CRIME.CASES",
    ),
    "one name for two": (
        [selection(), mapping("CASES", "K", made("K", "${NR}"), made("K", "${STATION}"))],
        "rule 2: two attributes of CRIME.CASES have one name",
    ),
    "two rules for one table": (
        [selection(), mapping("CASES", "NR"), mapping("C%", "NR")],
        "CRIME.CASES: rules 2, 3 both map it",
    ),
    "two tables into one": (
        [selection(), mapping("CASES", "NR"), mapping("DISTRICTS", "ID")],
        "two source tables go to t",
    ),
    "a key of two columns and no mapping": (
        [selection()],
        "CRIME.CASES has a primary key of 2 columns: an object-mapping rule must say",
    ),
    "ranges over a date": (
        [selection(), mapping("CASES", "NR"), ranges("CASES", "OPENED", "2014")],
        "rule 3: OPENED is DATE, not number or text",
    ),
    "ranges over no column": (
        [selection(), mapping("CASES", "NR"), ranges("CASES", "YEAR", "2014")],
        "rule 3: CRIME.CASES has no column 'YEAR'",
    ),
    "boundaries that fall": (
        [selection(), mapping("CASES", "NR"), ranges("CASES", "NR", "9", "10", "2")],
        "rule 3: the boundaries of NR do not rise",
    ),
    "a boundary that is SQL": (
        [selection(), mapping("CASES", "NR"), ranges("CASES", "NR", "1 OR 1 = 1")],
        "rule 3: a boundary of NR is not a number",
    ),
    "one id twice": ([selection(), {**selection(), "rule-id": "1"}], "rule-id 1 is there twice"),
}


@pytest.mark.parametrize(("rules", "says"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_done_is_refused_by_its_rule(rules: list[dict[str, Any]], says: str) -> None:
    """Nothing in a mapping is passed over: it is done, or the rule that asks for it is named."""
    with pytest.raises(BadMapping) as refused:
        mappings(*rules).resolve([DISTRICTS, CASES])
    assert says in str(refused.value)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"rules": {}}', '{"rules": ["x"]}', "null", '"rules"'])
def test_other_json_is_refused(text: str) -> None:
    """A document that is no table mapping is said to be none, whatever it is."""
    with pytest.raises(BadMapping):
        Mappings(text)


def test_a_table_without_a_primary_key_is_refused() -> None:
    """Without a key no row could be compared with its item: that is said before anything moves."""
    with pytest.raises(BadMapping, match="CRIME.LOG has no primary key"):
        mappings(selection()).resolve([table("LOG", LINE="text")])


def test_rising_boundaries_are_taken_as_numbers_or_as_texts() -> None:
    """9 comes before 10 as a number, and after it as a text."""
    rules = [selection(), mapping("CASES", "NR")]
    (found,) = mappings(*rules, ranges("CASES", "NR", "9", "10", "1E3")).resolve([CASES])
    assert found.ranges == ("NR", ("9", "10", "1E3"))
    (found,) = mappings(*rules, ranges("CASES", "STATION", "10", "9", "é")).resolve([CASES])
    assert found.ranges == ("STATION", ("10", "9", "é"))


def test_a_schema_that_is_only_excluded_is_not_asked_for_and_a_table_found_twice_is_one() -> None:
    """Two patterns may find one table; only schemas from which something may move are read."""
    found = mappings(selection(name="D%"), selection(schema="CRIM%"), selection("exclude", "%", "SYS%"))
    assert found.schemas == ("CRIM%", "CRIME")
    assert len(found.resolve([DISTRICTS, DISTRICTS])) == 1


def test_the_mapping_that_is_shipped_can_be_read() -> None:
    """The mapping of the legacy schema asks for nothing that is not done."""
    text = (files("crime_jobs.migrate") / "oracle" / "table-mappings.json").read_text(encoding="utf-8")
    assert Mappings(text).schemas == ("CRIME",)
