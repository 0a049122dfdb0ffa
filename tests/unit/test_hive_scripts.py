"""What can be said of the Hive scripts without running them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crime_jobs.errors import WrongUsage
from crime_jobs.hive_scripts import Script, find, folder, list_scripts, split
from crime_jobs.hivesql._ddl import GENERATED, landing_columns
from crime_jobs.hivesql._stage import check_order
from crime_jobs.model.landing import BadFile, read_header

DATA = Path(__file__).resolve().parents[2] / "data"
SCRIPTS = list_scripts()


def test_generated_scripts_are_what_the_model_gives() -> None:
    for name, make in GENERATED.items():
        assert (folder() / name).read_text(encoding="utf-8") == make(), "run python -m crime_jobs.hivesql"


def test_scripts_are_numbered_each_by_a_number_of_its_own() -> None:
    numbers = [script.number for script in SCRIPTS]
    assert None not in numbers
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda s: s.name)
def test_hive_cli_reads_the_script_as_we_do(script: Script) -> None:
    """Hive's command line cuts at semicolons before it knows comments, and knows comments by their line's start."""
    for number, line in enumerate(script.text.splitlines(), start=1):
        bare = re.sub(r"'(?:[^'\\]|\\.)*'", "''", line)
        if line.startswith("--"):
            assert not re.search(r"[;'\"]", line), f"line {number}: {line}"
        else:
            assert "--" not in bare, f"line {number}: a comment must begin its line"
        assert "/*" not in bare, f"line {number}: Hive knows no such comment"
        assert line.isascii(), f"line {number}: a metastore may be Latin-1"
    assert script.text.endswith(";\n")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda s: s.name)
def test_places_come_only_by_hivevar(script: Script) -> None:
    assert not re.search(r"(file|s3|s3a|hdfs):/", script.text)
    assert set(re.findall(r"\$\{(\w+):", script.text)) <= {"hivevar"}
    assert script.summary
    assert "database" in script.variables
    assert not re.search(r"\bcrime\.|USE \w", script.text), "the database's name is the environment's"


def test_split_knows_quotes_and_comments() -> None:
    text = "-- it's one; comment\nSELECT ';' AS `a;b`, \"x;\"\n  -- two; more\n  , 'it\\'s;';\n\n\n-- last\nSELECT 2"
    found = split(text)
    assert [(s.line, s.title) for s in found] == [(2, "it's one; comment"), (7 + 1, "last")]
    assert found[0].text.endswith("'it\\'s;'")
    assert found[1].text == "SELECT 2"


@pytest.mark.parametrize("text", ["", "  \n", "-- nothing;\n", ";;\n;"])
def test_split_of_nothing_is_nothing(text: str) -> None:
    assert split(text) == []


@pytest.mark.parametrize("name", ["40_insight_by_region", "insight_by_region", "40", "insight_by_region.hql"])
def test_a_script_is_found_by_its_names(name: str) -> None:
    assert [s.name for s in find(name)] == ["40_insight_by_region"]


def test_setup_is_every_script_that_makes_or_fills_tables() -> None:
    makers = [s for s in SCRIPTS if re.search(r"^(CREATE|INSERT)\b", s.text, re.MULTILINE)]
    assert [s.name for s in find("setup")] == [s.name for s in makers]


def test_an_unknown_script_is_wrong_usage_and_the_known_are_listed(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="no script 'insight_by_regoin'") as caught:
        find("insight_by_regoin")
    assert all(script.name in caught.value.hint for script in SCRIPTS)
    with pytest.raises(WrongUsage):
        find(str(tmp_path))


@pytest.mark.parametrize("path", sorted(DATA.glob("*.csv")), ids=lambda p: p.stem)
def test_every_file_of_the_sample_has_the_order_of_its_table(path: Path) -> None:
    header = read_header(path.read_bytes())
    check_order(header, landing_columns()[header.layout])


def test_a_header_in_another_order_names_the_column() -> None:
    header = read_header(b"State_UT,Population_Persons_2011,Population_Persons_2001\n")
    with pytest.raises(
        BadFile, match=r"column 2 .*'Population_Persons_2011'.*landing_census.*population_2001"
    ):
        check_order(header, landing_columns()["census"])


def test_a_census_that_the_table_does_not_know_is_refused() -> None:
    header = read_header(
        b"State_UT,Population_Persons_2001,Population_Persons_2011,Population_Persons_2021\n"
    )
    with pytest.raises(BadFile, match=r"column 4 .*no such column"):
        check_order(header, landing_columns()["census"])
