"""Hive's command line, as far as Spark SQL's takes the same."""

from __future__ import annotations

from collections.abc import Sequence

from crime_engines.protocol import invalid

#: Options of hive that take a value, and what Spark SQL calls them.
OPTIONS = {
    "-e": "-e",
    "-f": "-f",
    "-i": "-i",
    "-d": "-d",
    "--define": "--define",
    "--hivevar": "--hivevar",
    "-hivevar": "--hivevar",
    "--hiveconf": "--hiveconf",
    "-hiveconf": "--hiveconf",
    "--database": "--database",
}


def hive_arguments(arguments: Sequence[str]) -> list[str]:
    """Turn the arguments of ``hive`` into those of ``spark-sql``.

    Parameters
    ----------
    arguments
        ``-f s3://… --hivevar k=v`` and so on; ``--hivevar=k=v`` too.

    Returns
    -------
    list of str

    Raises
    ------
    Refusal
        If one can't be honoured here.
    """
    given, kept = iter(arguments), []
    for option in given:
        name, sign, value = option.partition("=")
        if name not in OPTIONS:
            raise invalid(f"hive {option} is not supported here, only {', '.join(OPTIONS)}.")
        text = value if sign else next(given, None)
        if text is None:
            raise invalid(f"hive {option} needs a value.")
        kept += [OPTIONS[name], text]
    return kept
