"""States and districts: every spelling of the sources is one place, and nothing is guessed."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from crime_jobs.model import places
from crime_jobs.model.vocabulary import read_csv

DATA = Path(__file__).resolve().parents[2] / "data"
SPELLINGS = [
    (row["state_code"], spelling)
    for row in read_csv("states.csv")
    for spelling in [row["state"], row["state_code"], *filter(None, row["spellings"].split("|"))]
]


def source_places() -> list[tuple[str, str]]:
    found = []
    for path in DATA.glob("*District*.csv"):
        rows = list(csv.reader(path.open(encoding="utf-8")))[1:]
        found += [(row[0], row[1]) for row in rows]
    return found


def test_the_codes_are_those_of_the_map() -> None:
    features = json.loads((DATA / "india_states.geojson").read_text())["features"]
    assert {f["properties"]["iso_3166_2"] for f in features} == set(places.states())
    assert {f["properties"]["name"] for f in features} == {s.name for s in places.states().values()}


def test_every_state_of_every_file_is_known() -> None:
    seen = set()
    for path in DATA.glob("*.csv"):
        for row in list(csv.reader(path.open(encoding="utf-8")))[1:]:
            state = places.find_state(row[0])
            assert state is not None, f"{path.name}: {row[0]}"
            seen.add(state.code)
    assert seen == set(places.states())


@given(st.sampled_from(SPELLINGS), st.data())
def test_case_spaces_and_punctuation_do_not_matter(spelling: tuple[str, str], data: st.DataObject) -> None:
    code, text = spelling
    flips = data.draw(st.lists(st.booleans(), min_size=len(text), max_size=len(text)))
    noise = data.draw(st.lists(st.sampled_from(["", " ", ".", "-"]), min_size=len(text), max_size=len(text)))
    varied = "".join(
        (c.upper() if up else c.lower()) + extra for c, up, extra in zip(text, flips, noise, strict=True)
    )
    found = places.find_state(varied)
    assert found is not None
    assert found.code == code


@given(st.text(max_size=30))
def test_what_is_not_listed_is_not_guessed(text: str) -> None:
    known = {places.fold(spelling) for _, spelling in SPELLINGS} | {
        places.fold(row["former_code"]) for row in read_csv("states.csv")
    }
    assert (places.find_state(text) is not None) == (places.fold(text) in known - {""})


def test_former_codes_are_understood() -> None:
    old = {"IN-CT": "IN-CG", "IN-OR": "IN-OD", "IN-TG": "IN-TS", "IN-UT": "IN-UK"}
    for former, code in old.items():
        state = places.find_state(former)
        assert state is not None
        assert state.code == code


def test_one_name_a_district_whatever_the_spelling() -> None:
    names = defaultdict(set)
    for state_text, text in source_places():
        state = places.find_state(state_text)
        assert state is not None
        if not places.is_total(text):
            name = places.district_name(state.code, text)
            names[state.code, places.fold(name)].add(name)
    assert {key: found for key, found in names.items() if len(found) > 1} == {}
    assert "Bengaluru City" in names["IN-KA", "BENGALURUCITY"]


def test_renamed_districts_keep_one_name() -> None:
    assert places.district_name("IN-KA", "BANGALORE COMMR.") == "Bengaluru City"
    assert places.district_name("IN-KA", "Bengaluru City") == "Bengaluru City"
    assert places.district_name("IN-GJ", "W.RLY AHMEDABAD") == places.district_name(
        "IN-GJ", "W.Rly  Ahmedabad"
    )
    assert places.district_name("IN-AS", "G. R. P.") == "GRP"
    assert places.district_name("IN-XX", "NEW PLACE") == "New Place"


def test_totals_and_kinds() -> None:
    totals = {text for _, text in source_places() if places.is_total(text)}
    assert totals == {"TOTAL", "ZZ TOTAL", "Total", "DELHI UT TOTAL"}
    assert places.is_total("Grand total")
    assert not places.is_total("Totalpur")
    kinds = {text: places.district_kind(text) for _, text in source_places()}
    assert kinds["JAMALPUR RLY."] == kinds["SRP(CUTTACK)"] == kinds["METRO RAIL"] == "railway"
    assert kinds["C.I.D."] == kinds["CRIME BRANCH"] == kinds["Economic Offences Unit"] == "unit"
    assert kinds["AHMEDABAD RURAL"] == kinds["HYDERABAD CITY"] == kinds["MUMBAI COMMR."] == "district"
