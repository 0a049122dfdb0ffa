"""Fetch Maven artefacts with the Ivy inside pyspark: it needs no Maven on the machine."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree as ET

from crime_harness.places import Places
from crime_harness.shell import CommandFailed, run
from crime_harness.tools import Java
from crime_jobs.errors import WrongUsage

#: Ivy's own default repository, asked for the files alone: every pin is exact, no POM is followed.
SETTINGS = """<ivysettings>
  <settings defaultResolver="central"/>
  <resolvers><ibiblio name="central" m2compatible="true" usepoms="false"/></resolvers>
</ivysettings>
"""

#: A settings file of the user's own (mirror, credentials), as for ``spark.jars.ivySettings``.
SETTINGS_VARIABLE = "CRIME_JOBS_IVY_SETTINGS"


def spark_jars(pattern: str) -> list[Path]:
    """Return jars that come with pyspark.

    Parameters
    ----------
    pattern
        For example ``ivy-2*.jar``.

    Returns
    -------
    list of Path

    Raises
    ------
    WrongUsage
        If pyspark is not installed beside the harness.
    """
    spec = importlib.util.find_spec("pyspark")
    found = sorted((Path(spec.origin).parent / "jars").glob(pattern)) if spec and spec.origin else []
    if not found:
        raise WrongUsage(
            f"pyspark, which brings {pattern}, is not installed in this Python.",
            hint="Run the harness with the project's own Python (`make up`).",
        )
    return found


def ivy_module(pins: Iterable[str]) -> str:
    """Return an Ivy module file that asks for artefacts, each alone.

    Parameters
    ----------
    pins
        ``group:name:version`` or ``group:name:version:type``.

    Returns
    -------
    str
        XML.
    """
    module = ET.Element("ivy-module", version="2.0")
    ET.SubElement(module, "info", organisation="crime-jobs", module="harness")
    ET.SubElement(ET.SubElement(module, "configurations"), "conf", name="default")
    dependencies = ET.SubElement(module, "dependencies")
    for pin in pins:
        group, name, version, *kind = pin.split(":")
        ext = kind[0] if kind else "jar"
        asked = ET.SubElement(
            dependencies,
            "dependency",
            org=group,
            name=name,
            rev=version,
            transitive="false",
            conf="default",
        )
        ET.SubElement(asked, "artifact", name=name, type=ext, ext=ext)
    return ET.tostring(module, encoding="unicode")


def fetch(pins: list[str], folder: Path, java: Java, places: Places, log: Path) -> None:
    """Fetch artefacts into a folder, as ``name-version.type``.

    Parameters
    ----------
    pins
        The artefacts.
    folder
        Where to.
    java
        The Java to run Ivy with.
    places
        Whose cache keeps what was fetched before an interruption.
    log
        File for what Ivy says.

    Raises
    ------
    CommandFailed
        If one of them can't be had.
    """
    work = places.cache / f"ivy-{folder.name}"
    work.mkdir(parents=True, exist_ok=True)
    module, settings = work / "ivy.xml", work / "ivysettings.xml"
    module.write_text(ivy_module(pins), encoding="utf-8")
    settings.write_text(SETTINGS, encoding="utf-8")
    chosen = os.environ.get(SETTINGS_VARIABLE) or str(settings)
    command = [java.command, *java.options, "-jar", str(spark_jars("ivy-2*.jar")[0])]
    command += ["-settings", chosen, "-cache", str(work / "cache"), "-ivy", str(module)]
    command += ["-confs", "default", "-warn"]
    command += ["-retrieve", str(folder / "[artifact]-[revision].[ext]")]
    try:
        run(command, log)
    except CommandFailed:  # Ivy, unlike pip and npm, never tries twice; it keeps what it has
        run(command, log)
    shutil.rmtree(work)  # the folder has it all now
