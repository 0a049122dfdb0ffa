"""Source rows and target items as keys and checksums, and what differs between them; all of it in Spark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from crime_jobs import executors
from crime_jobs.migrate._part import source_key
from crime_jobs.migrate._segments import Scan
from crime_jobs.model.items import Item, Row, Unfit, checksum, checksums, item_of, key_text

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from crime_jobs.budget import Budget
    from crime_jobs.model.tablemapping import TableMapping
    from crime_jobs.settings import Settings

#: What became of a key. The first three are differences.
MISSING, SURPLUS, DIFFERENT = "missing", "surplus", "different"
SAME, SUSPENDED = "same", "suspended"

#: An item's key, its checksum, and those of its attributes by name.
Sums = tuple[str | None, str, dict[str, str]]

TARGET_SIDE = "item_key string, checksum string, parts map<string,string>"
SOURCE_SIDE = f"source_key string, {TARGET_SIDE}"

_HINT = "Lower read_units, or raise the table's capacity; validate again."


def sums_of(mapping: TableMapping, item: Item) -> Sums:
    """Return key and checksums of an item."""
    parts = checksums(item)
    return key_text(mapping, item), checksum(parts), parts


@dataclass(frozen=True)
class SourceSide:
    """Tells of each row which item there should be; travels to the executors.

    Parameters
    ----------
    mapping
        The table.
    """

    mapping: TableMapping

    def __call__(self, rows: Iterable[Any]) -> Iterator[tuple[str | None, ...]]:
        """Read a part.

        Parameters
        ----------
        rows
            Its rows.

        Yields
        ------
        tuple
            The columns of `SOURCE_SIDE`. A row whose key does not fit has none.
        """
        for row in rows:
            known = row.asDict()
            yield (source_key(self.mapping, known), *self.sums(known))  # type: ignore[misc]

    def sums(self, row: Row) -> Sums:
        """Return key and checksums of the item that a row should be.

        Parameters
        ----------
        row
            The row. An attribute that does not fit has a checksum that no value has: if the load did not list
            such a row, it has changed since, and what was moved of it can't be right.

        Returns
        -------
        tuple
        """
        mapping, unfit = self.mapping, dict[str, str]()
        keys = {key.name for key in mapping.keys}
        while True:
            try:
                item = item_of(mapping, row)
            except Unfit as error:
                if not error.attribute or error.attribute in keys:
                    return None, "", {}
                unfit[error.attribute] = ""
                left = tuple(one for one in mapping.attributes if one.name not in unfit)
                mapping = replace(mapping, attributes=left)
            else:
                parts = checksums(item) | unfit
                return key_text(mapping, item), checksum(parts), parts


@dataclass(frozen=True)
class TargetSide:
    """Reads back segments of the target; travels to the executors.

    Parameters
    ----------
    mapping
        The table.
    settings
        Region and profile.
    total
        Of how many segments the scan is.
    budget, rate
        The read budget, ``None`` for no limit, and its units a second.
    """

    mapping: TableMapping
    settings: Settings
    total: int
    budget: Budget | None
    rate: float

    def __call__(self, segments: Iterable[int]) -> Iterator[Sums]:
        """Read segments, consistently.

        Parameters
        ----------
        segments
            Their numbers.

        Yields
        ------
        tuple
            The columns of `TARGET_SIDE`.
        """
        client = executors.client("dynamodb", self.settings, attempts=1)  # the scan has its own patience
        bucket = self.budget.open() if self.budget else None
        for number in segments:
            place = (number, self.total)
            scan = Scan(client, self.mapping.target, place, bucket, self.rate, hint=_HINT)
            for item in scan.items():
                yield sums_of(self.mapping, item)


def compare(source: DataFrame, target: DataFrame, listed: DataFrame | None = None) -> DataFrame:
    """Join both sides by key and say of each key what became of it.

    Parameters
    ----------
    source
        `SOURCE_SIDE`.
    target
        `TARGET_SIDE`.
    listed
        ``source_key`` of the rows that the load has listed as not moved; ``None`` for none.

    Returns
    -------
    DataFrame
        ``kind``, ``item_key``, ``attributes``: a row for each key of either side. What is the same or
        suspended has no key, so that keeping millions of them costs next to nothing.
    """
    from pyspark.sql import functions as F

    if listed is None:
        source = source.withColumn("listed", F.lit(False))
    else:
        known = F.broadcast(listed.distinct().withColumn("listed", F.lit(True)))
        source = source.join(known, "source_key", "left").fillna({"listed": False})
        # Not expected in the target: whose key it has is the row that won it.
        source = source.withColumn("item_key", F.when(~F.col("listed"), F.col("item_key")))
    both = source.alias("s").join(target.alias("t"), F.col("s.item_key") == F.col("t.item_key"), "full")
    kind = (
        F.when(F.col("s.listed"), SUSPENDED)
        .when(F.col("t.item_key").isNull(), MISSING)
        .when(F.col("s.source_key").isNull(), SURPLUS)
        .when(F.col("s.checksum") == F.col("t.checksum"), SAME)
        .otherwise(DIFFERENT)
    )
    names = F.array_union(F.map_keys("s.parts"), F.map_keys("t.parts"))
    differ = F.filter(
        names, lambda n: ~F.try_element_at("s.parts", n).eqNullSafe(F.try_element_at("t.parts", n))
    )
    # A row whose key can't be one has only that of the source.
    key = F.coalesce("s.item_key", "t.item_key", "s.source_key")
    told = both.select(
        kind.alias("kind"), key.alias("key"), F.array_join(F.array_sort(differ), " ").alias("differ")
    )
    is_difference = F.col("kind").isin(MISSING, SURPLUS, DIFFERENT)
    return told.select(
        "kind",
        F.when(is_difference, F.col("key")).alias("item_key"),
        F.when(F.col("kind") == DIFFERENT, F.col("differ")).otherwise("").alias("attributes"),
    )
