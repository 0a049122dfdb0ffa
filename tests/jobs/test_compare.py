"""The comparison of both sides, held against the same done with dictionaries."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from crime_jobs.migrate._compare import SOURCE_SIDE, TARGET_SIDE, compare
from crime_jobs.model.items import checksum

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Side = dict[str, dict[str, str]]


def expected(source: Side, target: Side, listed: set[str]) -> set[tuple[str, str | None, str]]:
    """What there should be of each key; the primary key of ``k`` is ``pk``."""
    found: set[tuple[str, str | None, str]] = set()
    here = {key: parts for key, parts in source.items() if f"p{key}" not in listed}
    for key in here.keys() | target.keys():
        if key not in target:
            found.add(("missing", key, ""))
        elif key not in here:
            found.add(("surplus", key, ""))
        elif here[key] != target[key]:
            names = here[key].keys() | target[key].keys()
            differ = sorted(name for name in names if here[key].get(name) != target[key].get(name))
            found.add(("different", key, " ".join(differ)))
    return found


def test_joined_in_spark_it_is_what_dictionaries_give(spark: SparkSession) -> None:
    """Two thousand keys, drawn at random, on either side or both, some listed: kinds, keys and attributes agree."""
    dice = random.Random(2014)  # noqa: S311

    def side() -> Side:
        keys = [str(n) for n in range(2000) if dice.random() < 0.8]
        return {
            key: {name: str(dice.randrange(4) // 3) for name in "abc" if dice.random() < 0.9} for key in keys
        }

    source, target = side(), side()
    listed = {f"p{key}" for key in source if dice.random() < 0.1}
    ours: list[tuple[str, str | None, str, dict[str, str]]]
    ours = [(f"p{key}", key, checksum(parts), parts) for key, parts in source.items()]
    theirs = [(key, checksum(parts), parts) for key, parts in target.items()]
    ours += [("p-unfit", None, "", {}), ("p-unfit-listed", None, "", {})]
    listed.add("p-unfit-listed")
    found = compare(
        spark.createDataFrame(ours, SOURCE_SIDE),
        spark.createDataFrame(theirs, TARGET_SIDE),
        spark.createDataFrame([(key,) for key in listed] * 2, "source_key string"),
    ).collect()

    wanted = expected(source, target, listed) | {("missing", "p-unfit", "")}
    differences = [row for row in found if row.item_key is not None]
    assert {(row.kind, row.item_key, row.attributes) for row in differences} == wanted
    assert len(differences) == len(wanted)
    assert sum(row.kind == "suspended" for row in found) == len(listed)
    same = sum(target.get(key) == parts for key, parts in source.items() if f"p{key}" not in listed)
    assert sum(row.kind == "same" for row in found) == same
    assert {row.kind for row in found} == {"same", "suspended", "missing", "surplus", "different"}


def test_nothing_listed_and_nothing_there(spark: SparkSession) -> None:
    """An empty target: each row is missing."""
    ours = spark.createDataFrame([("pk", "k", "c", {"a": "1"})], SOURCE_SIDE)
    found = compare(ours, spark.createDataFrame([], TARGET_SIDE)).collect()
    assert [tuple(row) for row in found] == [("missing", "k", "")]
