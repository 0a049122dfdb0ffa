"""Every script on real Hive 3.1.3, local mode: fetched from Maven, so outside CI (``make test-soak``).

Hive 3.1 wants Java 8. On 17 it runs with the modules opened, a class loader of the kind it expects, and one
serializer replaced that looks into fields which Java has no longer; nothing of its SQL is touched.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import duckdb
import pyspark
import pytest

from crime_jobs.hive_scripts import list_scripts
from crime_jobs.hivesql._stage import stage_landing

pytestmark = pytest.mark.soak

DATA = Path(__file__).resolve().parents[2] / "data"
JARS = Path(pyspark.__file__).parent / "jars"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "crime-jobs" / "hive-3.1.3"

IVY = """<ivy-module version="2.0">
  <info organisation="crime-jobs" module="hive"/>
  <configurations><conf name="default"/></configurations>
  <dependencies>
    <dependency org="org.apache.hive" name="hive-cli" rev="3.1.3" conf="default->compile,runtime,master"/>
    <dependency org="org.apache.hadoop" name="hadoop-client" rev="3.1.4" conf="default->compile,runtime,master"/>
    <exclude org="org.pentaho"/>
    <exclude org="org.apache.hbase"/>
    <exclude org="org.apache.druid"/>
    <exclude org="org.eclipse.jetty.aggregate"/>
    <exclude org="org.apache.directory.server"/>
    <exclude org="ch.qos.logback"/>
    <exclude org="log4j"/>
    <exclude org="org.apache.logging.log4j"/>
    <exclude org="org.slf4j" module="slf4j-log4j12"/>
  </dependencies>
</ivy-module>
"""

#: Hive casts the class loader it finds to URLClassLoader, which Java's own no longer is.
LAUNCHER = """
import java.io.File;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.ArrayList;
import java.util.Arrays;

public class Launcher {
  public static void main(String[] args) throws Exception {
    ArrayList<URL> urls = new ArrayList<>();
    urls.add(new File(args[0]).toURI().toURL());
    File[] jars = new File(args[1]).listFiles();
    Arrays.sort(jars);
    for (File jar : jars) urls.add(jar.toURI().toURL());
    URLClassLoader loader =
        new URLClassLoader(urls.toArray(new URL[0]), ClassLoader.getPlatformClassLoader());
    Thread.currentThread().setContextClassLoader(loader);
    try {
      loader.loadClass("org.apache.hadoop.hive.cli.CliDriver")
          .getMethod("main", String[].class)
          .invoke(null, (Object) Arrays.copyOfRange(args, 2, args.length));
    } catch (Throwable error) {
      error.printStackTrace();
      System.exit(3);
    }
  }
}
"""

#: The original reads ArrayList's SubList by the names its fields had in Java 8.
SERIALIZER = """
package org.apache.hadoop.hive.ql.exec;

import java.util.ArrayList;
import java.util.List;
import org.apache.hive.com.esotericsoftware.kryo.Kryo;
import org.apache.hive.com.esotericsoftware.kryo.Serializer;
import org.apache.hive.com.esotericsoftware.kryo.io.Input;
import org.apache.hive.com.esotericsoftware.kryo.io.Output;

public class SerializationUtilities {
  static class ArrayListSubListSerializer extends Serializer<List<?>> {
    public List<?> read(Kryo kryo, Input input, Class<List<?>> type) {
      return (List<?>) kryo.readClassAndObject(input);
    }
    public void write(Kryo kryo, Output output, List<?> list) {
      kryo.writeClassAndObject(output, new ArrayList<Object>(list));
    }
  }
}
"""

OPENED = [
    "lang",
    "lang.invoke",
    "lang.reflect",
    "io",
    "math",
    "net",
    "nio",
    "nio.charset",
    "nio.file",
    "text",
    "time",
    "util",
    "util.concurrent",
    "util.concurrent.atomic",
    "util.concurrent.locks",
    "util.regex",
    "util.stream",
]

QUERIES: dict[str, tuple[str, dict[str, str], str, str]] = {
    "40": (
        "crime_by_region", {"year": "2013", "crime_group": "theft", "place_level": "district"},
        "level, state_code, state, district, year, crime_group, cases, population, rate_per_lakh, "
        "rank_in_year, magnitude",
        "level = 'district' AND year = 2013 AND crime_group = 'theft'",
    ),
    "41": (
        "crime_by_period", {"state_code": "IN-AP+TS", "crime_group": "hurt"},
        "state_code, year, crime_group, cases, change_pct, trend",
        "state_code = 'IN-AP+TS' AND crime_group = 'hurt'",
    ),
    "42": (
        "crimes_against_women", {"state_code": "IN-TN"},
        "state_code, women_group, year, scope, cases, population, rate_per_lakh, change_pct, trend",
        "state_code = 'IN-TN'",
    ),
    "43": (
        "traffic_by_time_of_day", {"state_code": "IN-KA"}, "state_code, state, year, slot, cases, share_pct",
        "state_code = 'IN-KA' AND year = 2014",
    ),
    "44": (
        "traffic_by_month", {"year": "2012"},
        "state_code, state, year, month_number, cases, share_pct, cases_per_day",
        "state_code = 'IN' AND year = 2012",
    ),
    "45": (
        "hot_spots", {"crime_group": "riots", "year": "2012"},
        "state_code, state, district, year, crime_group, cases, percentile, base_cases, growth_pct, hot_spot",
        "crime_group = 'riots' AND year = 2012",
    ),
}  # fmt: skip


def run(*arguments: str | Path, cwd: Path, timeout: int = 1800) -> str:
    done = subprocess.run(
        [str(a) for a in arguments],
        cwd=cwd, capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
    return done.stdout


@pytest.fixture(scope="module")
def jars() -> Path:
    """Hive's jars, fetched once into the user's cache."""
    if shutil.which("javac") is None:
        pytest.skip("Hive on Java 17 needs a compiler: install a JDK")
    if not CACHE.is_dir():
        part = CACHE.with_name("hive-part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        (part / "ivy.xml").write_text(IVY)
        ivy = next(JARS.glob("ivy-*.jar"))
        pattern = f"{part}/jars/[artifact]-[revision](-[classifier]).[ext]"
        run("java", "-jar", ivy, "-ivy", "ivy.xml", "-confs", "default", "-m2compatible", "-types", "jar",
            "bundle", "-cache", part / "cache", "-retrieve", pattern, cwd=part)  # fmt: skip
        for jar in (
            *JARS.glob("log4j-api-*.jar"),
            *JARS.glob("log4j-core-*.jar"),
            *JARS.glob("log4j-1.2-api-*.jar"),
        ):
            shutil.copy(jar, part / "jars")
        (part / "jars").rename(CACHE)
        shutil.rmtree(part)
    return CACHE


class Hive:
    """Hive's command line, with a metastore and a warehouse of its own."""

    def __init__(self, folder: Path, jars: Path) -> None:
        self.folder, self.jars = folder, jars
        home = folder / "home"
        home.mkdir()
        settings = {
            "javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={folder}/metastore;create=true",
            "datanucleus.schema.autoCreateAll": "true",
            "hive.metastore.schema.verification": "false",
            "hive.metastore.warehouse.dir": f"{folder}/warehouse",
            "hive.exec.scratchdir": f"{folder}/scratch",
            "hive.exec.local.scratchdir": f"{folder}/local",
            "hive.execution.engine": "mr",
            "mapreduce.framework.name": "local",
            "fs.defaultFS": "file:///",
            "hive.exec.submit.local.task.via.child": "false",
            "hive.stats.autogather": "false",
            "hive.async.log.enabled": "false",
            "hadoop.tmp.dir": f"{folder}/hadoop",
        }
        properties = "".join(
            f"<property><name>{k}</name><value>{v}</value></property>" for k, v in settings.items()
        )
        (home / "hive-site.xml").write_text(f"<configuration>{properties}</configuration>")
        (home / "hive-log4j2.properties").write_text("status=error\nrootLogger.level=off\n")
        (folder / "Launcher.java").write_text(LAUNCHER)
        (folder / "SerializationUtilities.java").write_text(SERIALIZER)
        run("javac", "-d", folder, "Launcher.java", cwd=folder)
        run(
            "javac",
            "-cp",
            jars / "hive-exec-3.1.3.jar",
            "-d",
            home,
            "SerializationUtilities.java",
            cwd=folder,
        )
        # Of the two classes compiled only the inner one is to take the place of Hive's own.
        (home / "org/apache/hadoop/hive/ql/exec/SerializationUtilities.class").unlink()

    def run(self, text: str, **variables: str) -> str:
        (self.folder / "script.hql").write_text(text)
        opened = [f"--add-opens=java.base/java.{p}=ALL-UNNAMED" for p in OPENED]
        opened += [
            "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
            "--add-opens=java.sql/java.sql=ALL-UNNAMED",
        ]
        given = [
            word for k, v in {"database": "crime", **variables}.items() for word in ("--hivevar", f"{k}={v}")
        ]
        return run("java", *opened, "-Xmx1500m", "-cp", self.folder, "Launcher", self.folder / "home",
                   self.jars, *given, "-f", "script.hql", cwd=self.folder)  # fmt: skip


@pytest.fixture(scope="module")
def loaded(
    jars: Path, built_lake: Path, spark: Any, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Hive, Path]:
    """Hive with every table made and filled, twice."""
    folder = tmp_path_factory.mktemp("hive")
    lake = Path(shutil.copytree(built_lake, folder / "lake"))
    stage_landing(spark, str(DATA), str(lake))
    # Outside a cluster Hadoop has no native zstd, which Hive's Parquet reader wants.
    with duckdb.connect() as con:
        for path in lake.rglob("*.parquet"):
            con.execute(
                f"COPY (FROM read_parquet('{path}', hive_partitioning = false)) TO '{path}.new' "
                "(FORMAT parquet, COMPRESSION snappy)"
            )
            Path(f"{path}.new").replace(path)
            path.with_name(f".{path.name}.crc").unlink(missing_ok=True)
    hive = Hive(folder, jars)
    setup = "\n".join(s.text for s in list_scripts() if s.number is not None and s.number < 40)
    hive.run(
        setup + setup,
        landing=f"file://{DATA}", lake=f"file://{lake}", warehouse=f"file://{folder}/warehouse",
    )  # fmt: skip
    return hive, lake


@pytest.mark.parametrize("number", QUERIES)
def test_hive_finds_what_the_mart_has(loaded: tuple[Hive, Path], number: str) -> None:
    hive, lake = loaded
    mart, variables, columns, where = QUERIES[number]
    script = next(s for s in list_scripts() if s.name.startswith(number))
    found = hive.run(script.text, **variables).splitlines()
    with duckdb.connect() as con:
        rows = con.execute(
            f"SELECT {columns} FROM read_parquet('{lake}/{mart}/*.parquet') WHERE {where}"
        ).fetchall()
    expected = ["\t".join("NULL" if v is None else str(v) for v in row) for row in rows]
    assert expected
    assert sorted(found) == sorted(expected)


def test_hive_runs_without_variables_and_reads_no_header_as_a_row(loaded: tuple[Hive, Path]) -> None:
    hive, _ = loaded
    insights = [s for s in list_scripts() if s.number is not None and s.number >= 40]
    said = hive.run("".join(f"{s.text}\nSELECT 'end of', '{s.name}';\n" for s in insights)).splitlines()
    ends = [said.index(f"end of\t{s.name}") for s in insights]
    assert ends == sorted(ends)
    assert all(b - a > 1 for a, b in zip([-1, *ends], ends, strict=False))
    assert "2014\t2858939\t2858939\t2858939\t0" in said
    raw = hive.run(
        "USE crime;\nSELECT count(*) FROM landing_ipc_2001_csv;\nSELECT count(*) FROM landing_ipc_2001;\n"
    )
    assert raw.split() == ["9840", "9840"]
