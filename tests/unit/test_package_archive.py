"""The archives: the same bytes from the same content, and nothing from a wheel that has no business there."""

from __future__ import annotations

import io
import os
import random
import shutil
import stat
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from crime_jobs.emr import _archive
from crime_jobs.errors import BadInput

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "crime_jobs"

MakeWheel = Callable[..., Path]


def write_wheel(path: Path, content: dict[str, bytes], *, date: int = 2020, level: int = 6) -> Path:
    """A wheel with just these entries, in this order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for name, body in content.items():
            archive.writestr(zipfile.ZipInfo(name, (date, 1, 2, 3, 4, 6)), body)
    return path


def pack(*wheels: Path) -> tuple[str, bytes]:
    target = wheels[0].parent / "out.tar.gz"
    return _archive.make_tar(wheels, target, lambda *_: None), target.read_bytes()


def names(tar: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        return archive.getnames()


def checkout(folder: Path) -> Path:
    """A checkout as git makes it, where `hive` is a link; a copy, so that nobody edits it meanwhile."""
    package = folder / "src" / "crime_jobs"
    shutil.copytree(SOURCE, package, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    links = [path for path in SOURCE.iterdir() if path.is_symlink()]
    assert "hive" in [link.name for link in links]
    for link in links:
        shutil.copytree(link, folder / link.name)
    return package


def copy_with_litter(source: Path, target: Path, seed: int) -> Path:
    """The sources as another person has them: other times, modes, order on disk, and things lying about."""
    chance = random.Random(seed)  # noqa: S311 - the same each time
    files = [p for p in source.rglob("*") if p.is_file()]
    files += [p for link in source.iterdir() if link.is_symlink() for p in link.iterdir() if p.is_file()]
    chance.shuffle(files)
    old = os.umask(0o077 if seed % 2 else 0o002)
    try:
        for file in files:
            copy = target / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
            moment = chance.randrange(10**9)
            os.utime(copy, (moment, moment))
    finally:
        os.umask(old)
    for litter in ("__pycache__/cli.cpython-311.pyc", "jobs/.new.py.swp", "settings.py~", "tests/test_x.py"):
        path = target / litter
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"left by {seed}")
    return target


def test_two_people_make_the_same_zip_of_the_same_sources(tmp_path: Path) -> None:
    source = checkout(tmp_path / "checkout")
    folders = [source, *(copy_with_litter(source, tmp_path / str(seed), seed) for seed in (1, 2))]
    zips = {_archive.make_zip(_archive.read_tree(folder, "crime_jobs/")) for folder in folders}
    assert len(zips) == 1


def test_the_zip_holds_the_code_its_data_and_no_litter(tmp_path: Path) -> None:
    whole = _archive.make_zip(
        _archive.read_tree(copy_with_litter(checkout(tmp_path / "from"), tmp_path / "to", 1), "crime_jobs/")
    )
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        found = set(archive.namelist())
    scripts = {f"crime_jobs/hive/{path.name}" for path in (ROOT / "hive").glob("*.hql")}
    assert len(scripts) > 10
    assert scripts <= found
    assert "crime_jobs/model/vocabulary/states.csv" in found
    assert "crime_jobs/crime-jobs.toml" in found
    odd = [n for n in found if "__pycache__" in n or n.endswith((".pyc", "~", ".swp")) or "tests" in n]
    assert odd == []


def test_a_change_of_one_byte_changes_the_zip() -> None:
    content = _archive.read_tree(SOURCE)
    before = _archive.make_zip(content)
    content["entry.py"] += b"\n"
    assert _archive.make_zip(content) != before


FROM_ZIP = """
import crime_jobs, crime_jobs.registry, crime_jobs.settings
from crime_jobs import hive_scripts
from crime_jobs.adhoc import dashboard
from crime_jobs.model import heads, places
assert ".zip/" in crime_jobs.__file__, crime_jobs.__file__
assert len(crime_jobs.registry.registry()) >= 10
assert len(heads.labels()) > 50
assert crime_jobs.settings.load("local", environ={}).sources["lake"].endswith("crime-jobs.toml")
scripts = hive_scripts.list_scripts()
assert scripts[0].name == "00_database" and all(s.statements for s in scripts)
assert hive_scripts.find("40")[0].name.startswith("40_")
assert dashboard._asset("page.css")
from crime_jobs.cli import main
raise SystemExit(main(["list", "--output", "json"]))
"""


def test_the_code_works_from_the_zip(tmp_path: Path) -> None:
    path = tmp_path / "code.zip"
    path.write_bytes(_archive.make_zip(_archive.read_tree(SOURCE, "crime_jobs/")))
    done = subprocess.run(
        [sys.executable, "-c", FROM_ZIP],
        env={**os.environ, "PYTHONPATH": str(path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert '"job": "crime_by_region"' in done.stdout


def test_the_same_wheels_make_the_same_archive_whenever_and_however_they_were_zipped(tmp_path: Path) -> None:
    content = {"pkg/__init__.py": b"a = 1\n", "pkg/z.so": bytes(range(256)) * 50, "pkg/b.py": b""}
    backwards = dict(reversed(list(content.items())))
    first = pack(write_wheel(tmp_path / "a" / "pkg-1-py3-none-any.whl", content))
    second = pack(write_wheel(tmp_path / "b" / "pkg-1-py3-none-any.whl", backwards, date=1999, level=1))
    assert first == second
    with tarfile.open(fileobj=io.BytesIO(first[1])) as archive:
        members = archive.getmembers()
        file = archive.extractfile("pkg/z.so")
        assert file is not None
        assert file.read() == content["pkg/z.so"]
    assert [m.name for m in members] == sorted(content)
    assert {(m.mtime, m.mode, m.uid, m.gid, m.uname, m.gname) for m in members} == {
        (315532800, 0o644, 0, 0, "", "")
    }


def test_what_is_needed_comes_and_what_is_not_stays(tmp_path: Path) -> None:
    numpy = write_wheel(
        tmp_path / "numpy-2-cp311-cp311-manylinux_2_28_x86_64.whl",
        {
            "numpy/__init__.py": b"",
            "numpy/core.so": b"x",
            "numpy/testing/__init__.py": b"",
            "numpy/lib/tests/test_io.py": b"",
            "numpy/__pycache__/a.pyc": b"",
            "numpy.libs/libblas.so": b"y",
            "numpy-2.data/purelib/extra.py": b"",
            "numpy-2.data/scripts/f2py": b"",
        },
    )
    pyarrow = write_wheel(
        tmp_path / "pyarrow-1-cp311-cp311-manylinux_2_28_x86_64.whl",
        {
            "pyarrow/lib.so": b"",
            "pyarrow/lib.pyx": b"",
            "pyarrow/include/arrow/api.h": b"",
            "pyarrow/util.py": b"",
        },
    )
    other = write_wheel(tmp_path / "other-1-py3-none-any.whl", {"other/tests/__init__.py": b""})
    assert names(pack(numpy, pyarrow, other)[1]) == [
        "extra.py",
        "numpy.libs/libblas.so",
        "numpy/__init__.py",
        "numpy/core.so",
        "numpy/testing/__init__.py",
        "other/tests/__init__.py",
        "pyarrow/lib.so",
        "pyarrow/util.py",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "../up.py",
        "pkg/../../up.py",
        "/etc/passwd",
        "pkg\\..\\up.py",
        "C:/up.py",
        "pkg-1.data/purelib/../../up.py",
    ],
)
def test_an_entry_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    wheel = write_wheel(tmp_path / "pkg-1-py3-none-any.whl", {"pkg/__init__.py": b"", name: b"evil"})
    with pytest.raises(BadInput, match=r"pkg-1-py3-none-any\.whl has an entry that leads out"):
        pack(wheel)
    assert not (tmp_path / "out.tar.gz").exists()


def test_a_link_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "pkg-1-py3-none-any.whl"
    info = zipfile.ZipInfo("pkg/link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(BadInput, match="or is a link: 'pkg/link'"):
        pack(wheel)


def test_two_wheels_may_share_a_file_but_not_fight_about_it(tmp_path: Path) -> None:
    one = write_wheel(tmp_path / "a-1-py3-none-any.whl", {"shared/__init__.py": b"", "shared/a.py": b""})
    two = write_wheel(tmp_path / "b-1-py3-none-any.whl", {"shared/__init__.py": b"", "shared/b.py": b""})
    assert names(pack(one, two)[1]) == ["shared/__init__.py", "shared/a.py", "shared/b.py"]
    write_wheel(two, {"shared/__init__.py": b"b"})
    with pytest.raises(BadInput, match=r"a-1.*\.whl and b-1.*\.whl both bring shared/__init__\.py"):
        pack(one, two)


def test_a_damaged_wheel_is_named(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path / "pkg-1-py3-none-any.whl", {"pkg/a.py": b"a" * 1000}, level=0)
    raw = bytearray(wheel.read_bytes())
    raw[500] ^= 1
    wheel.write_bytes(raw)
    with pytest.raises(BadInput, match=r"pkg-1-py3-none-any\.whl is damaged: pkg/a\.py"):
        pack(wheel)
    wheel.write_bytes(raw[:300])
    with pytest.raises(BadInput, match=r"pkg-1-py3-none-any\.whl can't be read"):
        pack(wheel)
