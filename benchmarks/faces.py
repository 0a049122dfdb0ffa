"""The face engine: photographs a second, memory, a watch list by collection beside pairs, search by size.

``python -m benchmarks.faces`` (or ``make bench-faces``) starts the engine in processes of its own, with a
collection of 10,000 faces: random unit vectors of 128 numbers, put into its store, and some real ones. Then
1,000 photographs of 1920 by 1080, made from the one that ships, go through what `crime-jobs faces match` does
with each: DetectFaces, a crop a face, SearchFacesByImage. The other way, CompareFaces of each photograph with
each enrolled picture, is measured on some pairs and multiplied: nobody would wait for it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from PIL import Image, ImageEnhance, ImageOps
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from crime_engines.faces import pictures
from crime_engines.faces.recogniser import Recogniser
from crime_engines.faces.seen import LENGTH
from crime_engines.rekognition.gallery import Gallery
from crime_engines.rekognition.store import Store
from crime_jobs.faces.engine import Engine
from crime_jobs.faces.matching import Asked, Outcome, match
from crime_jobs.faces.pictures import read
from crime_jobs.model.faces import FaceSettings
from crime_jobs.settings import Settings
from tests.photographs import file, head

REGION, COLLECTION, PERSON = "us-east-1", "bench", "0" * 32

#: The aims: photographs a second on two cores, bytes of the engine's processes, seconds of a search.
AIM_PACE, AIM_MEMORY, AIM_SEARCH = 4.0, 1024**3, 0.010


def unit(count: int, seed: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Return random vectors of length 1, as embeddings are about."""
    made = np.random.default_rng(seed).normal(size=(count, LENGTH)).astype(np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return made


def scene(number: int) -> bytes:
    """Return a photograph of 1920 by 1080: of ten, seven have one face, two have two, one has none."""
    across = np.linspace(60, 190, 1920, dtype=np.float32)
    rows = np.clip(across + np.random.default_rng(number).normal(0, 12, (1080, 1920)), 0, 255)
    picture = Image.merge("RGB", [Image.fromarray(rows.astype(np.uint8))] * 3)
    faces = {0: 0, 1: 2, 2: 2}.get(number % 10, 1)
    for place in range(faces):
        side = 420 + 37 * (number % 11)
        face = head().resize((side, side), Image.Resampling.LANCZOS)
        if (number + place) % 2:
            face = ImageOps.mirror(face)
        face = ImageEnhance.Brightness(face).enhance(0.7 + 0.05 * (number % 8))
        picture.paste(face, (80 + 930 * place + 10 * (number % 9), 100 + 5 * (number % 30)))
    return file(picture, quality=80 + number % 15)


def milliseconds(values: Sequence[float]) -> str:
    """Word the median and the least."""
    return f"{1000 * statistics.median(values):,.2f} ({1000 * min(values):,.2f})"


def parts(count: int) -> dict[str, list[float]]:
    """Measure what a photograph costs apart, in this process: seconds of each."""
    recogniser, taken = Recogniser(), dict[str, list[float]]()

    def timed(name: str, begun: float) -> float:
        now = time.perf_counter()
        taken.setdefault(name, []).append(now - begun)
        return now

    contents = [scene(10 * number + 3) for number in range(count + 1)]  # each with one face
    for content in contents:
        begun = time.perf_counter()
        picture, original = pictures.decode(content)
        begun = timed("decode", begun)
        recogniser.look(picture, "none", original)
        begun = timed("detect", begun)
        (seen, *_) = recogniser.look(picture, "largest", original)
        timed("both", begun)
        assert seen.embedding
    found = {name: values[1:] for name, values in taken.items()}  # without the first, which warms up
    found["embed"] = [max(0.0, b - d) for b, d in zip(found.pop("both"), found["detect"], strict=True)]
    return found


def searching(sizes: Sequence[int], searches: int) -> dict[int, list[float]]:
    """Measure a search by the number of embeddings: seconds of each, five matches at 99."""
    taken: dict[int, list[float]] = {}
    for size in sizes:
        rows = unit(size, 1)
        gallery = Gallery((str(number), row.tolist()) for number, row in enumerate(rows))
        taken[size] = []
        for asked in unit(searches + 3, 2):
            begun = time.perf_counter()
            gallery.search(asked, 99.0, 5)
            taken[size].append(time.perf_counter() - begun)
        del taken[size][:3]
        assert gallery.search(rows[0], 99.0, 5)[0] == ("0", 100.0)
    return taken


def fill(state: Path, count: int) -> None:
    """Put a collection of so many faces into a store, as if each had been indexed."""
    store = Store(state / "rekognition")
    collection = store.create(REGION, COLLECTION, {})
    box = {"Left": 0.3, "Top": 0.3, "Width": 0.3, "Height": 0.3}
    faces = []
    for number, row in enumerate(unit(count, 3)):
        told = {"BoundingBox": box, "ImageId": str(uuid.uuid4()), "Confidence": 99.0}
        told["ExternalImageId"] = f"{PERSON}:{number:032x}"
        faces.append((f"random-{number}", told, row.tolist()))
    store.add(collection, faces)
    store.close()


@dataclass
class Served:
    """The engine in processes of its own."""

    process: subprocess.Popen[bytes]
    address: str
    peak: int = 0
    _end: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Note the most memory that its processes have, pages that they share counted in each."""
        root = psutil.Process(self.process.pid)
        while not self._end.wait(0.2):
            total = 0
            with contextlib.suppress(psutil.Error):
                for one in [root, *root.children(recursive=True)]:
                    with contextlib.suppress(psutil.Error):
                        total += one.memory_info().rss
            self.peak = max(self.peak, total)

    def cpu(self) -> float:
        """Return the seconds of a processor that its processes took so far, user's and system's."""
        root = psutil.Process(self.process.pid)
        times = [one.cpu_times() for one in [root, *root.children(recursive=True)]]
        return float(sum(one.user + one.system for one in times))

    def end(self) -> None:
        """Stop it."""
        self._end.set()
        self.process.terminate()
        self.process.wait(30)


@contextlib.contextmanager
def serve(state: Path) -> Iterator[Served]:
    """Serve the engine from a folder."""
    log = state.parent / "log"
    with log.open("wb") as stderr:
        command = [sys.executable, "-m", "crime_engines.rekognition", "--port", "0", "--state", str(state)]
        process = subprocess.Popen(command, stderr=stderr)
    found = None
    while found is None:
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
        found = re.search(r"is at (\S+)", log.read_text())
    served = Served(process, found[1])
    watcher = threading.Thread(target=served.watch)
    watcher.start()
    try:
        yield served
    finally:
        served.end()
        watcher.join()


def engine_at(address: str) -> Engine:
    """Return what the job asks the engine with."""
    os.environ |= {"AWS_ENDPOINT_URL_REKOGNITION": address, "NO_PROXY": "127.0.0.1"}
    os.environ |= {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench"}
    settings = Settings.model_validate(
        {"env": "bench", "region": REGION, "landing": "", "lake": "", "spark_conf": None}
        | {"sources": {}, "environ": {}}
    )
    return Engine(settings, FaceSettings(engine="on-premises", price_per_call=0))


@dataclass(frozen=True)
class Run:
    """What some photographs took, of a processor too, and what was found."""

    seconds: float
    engine_cpu: float
    job_cpu: float
    calls: Counter[str]
    outcomes: list[Outcome]


def by_collection(served: Served, engine: Engine, photographs: int, threads: int) -> Run:
    """Match photographs against the collection, as the job does."""
    contents = [scene(number) for number in range(min(photographs, 100))]
    asked = Asked(COLLECTION, 99.0)

    def one(number: int) -> Outcome:
        return match(read(contents[number % len(contents)]), engine, asked)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, range(2 * threads)))  # workers start and read their models
        engine.calls.clear()
        begun, engine_cpu, job_cpu = time.perf_counter(), served.cpu(), time.process_time()
        outcomes = list(pool.map(one, range(photographs)))
        return Run(
            time.perf_counter() - begun,
            served.cpu() - engine_cpu,
            time.process_time() - job_cpu,
            Counter(engine.calls),
            outcomes,
        )


def pairwise(engine: Engine, pairs: int, threads: int) -> float:
    """Compare some pairs of an enrolled picture and a photograph: seconds of all."""
    enrolled = file(head())
    targets = [scene(10 * number + 3) for number in range(min(pairs, 10))]
    with ThreadPoolExecutor(threads) as pool:
        begun = time.perf_counter()
        list(pool.map(lambda n: engine.compare(enrolled, targets[n % len(targets)], 99.0), range(pairs)))
        return time.perf_counter() - begun


def shown(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table as Markdown."""
    table = Table(box=MARKDOWN)
    for number, name in enumerate(heads):
        table.add_column(name, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    print(f"\n{title}\n")
    Console(width=160).print(table)


def alone(given: argparse.Namespace) -> float:
    """Measure and print what needs no server; return the seconds of a search among the most embeddings."""
    rows = [[name, milliseconds(values)] for name, values in parts(given.apart).items()]
    shown("A photograph of 1920 by 1080 with a face, in one process", ["part", "ms, median (least)"], rows)
    sizes = searching((1_000, 10_000, 100_000), given.searches)
    rows = [[f"{size:,}", milliseconds(values)] for size, values in sizes.items()]
    shown("A search, 5 matches at 99", ["embeddings", "ms, median (least)"], rows)
    return statistics.median(sizes[100_000])


def whole(given: argparse.Namespace, state: Path) -> tuple[Run, float, int]:
    """Match by collection and by pairs: the one, seconds of a pair, and bytes of the engine's processes."""
    fill(state, given.enrolled)
    with serve(state) as served:
        engine = engine_at(served.address)
        begun = time.perf_counter()
        for number, picture in enumerate((head(), ImageOps.mirror(head()), head().convert("L"))):
            engine.index(COLLECTION, file(picture), f"{PERSON}:{number + 2**64:032x}")
        first = time.perf_counter() - begun
        print("\nUntil three faces are enrolled, with the start of a worker and the reading of the")
        print(f"collection: {first:.1f} s.")
        run = by_collection(served, engine, given.photographs, given.threads)
        peak = served.peak
        return run, pairwise(engine, given.pairs, given.threads) / given.pairs, peak


def main() -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photographs", type=int, default=1000)
    parser.add_argument("--enrolled", type=int, default=10_000)
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--apart", type=int, default=20, help="photographs whose parts are measured")
    parser.add_argument("--searches", type=int, default=100)
    parser.add_argument("--threads", type=int, default=3, help="that ask the engine at once")
    given = parser.parse_args()
    print(f"{os.cpu_count()} cores; load average {os.getloadavg()[0]:.1f} at the start.")
    largest = alone(given)
    with tempfile.TemporaryDirectory() as folder:
        run, pair, peak = whole(given, Path(folder) / "state")
    pairs = given.photographs * given.enrolled
    how = f"{given.pairs} pairs measured, {1000 * pair:.0f} ms each"
    rows = [
        ["by collection", f"{run.seconds:,.0f} s", f"{run.calls.total():,}", "measured"],
        ["pair by pair", f"{pair * pairs / 86_400:,.1f} days", f"{pairs:,}", how],
    ]
    name = f"{given.photographs:,} photographs against {given.enrolled:,} enrolled faces"
    shown(name, ["way", "time", "API calls", ""], rows)
    found, matched = sum(one.faces for one in run.outcomes), sum(bool(one.matches) for one in run.outcomes)
    print(f"{json.dumps(run.calls)}; {found} faces found, {matched} photographs matched.")
    each = [1000 * cpu / given.photographs for cpu in (run.engine_cpu, run.job_cpu)]
    print(f"A photograph takes {each[0]:.0f} ms of a processor in the engine, {each[1]:.0f} ms in the job.")
    rows = [
        ["photographs/s", f"{AIM_PACE:.0f}", f"{given.photographs / run.seconds:.1f}"],
        ["memory of the engine, MiB", f"{AIM_MEMORY / 2**20:,.0f}", f"{peak / 2**20:,.0f}"],
        ["search among 100,000, ms", f"{1000 * AIM_SEARCH:.0f}", f"{1000 * largest:.1f}"],
    ]
    shown("Aims", ["what", "aim", "measured"], rows)
    print(f"Load average {os.getloadavg()[0]:.1f} at the end.")


if __name__ == "__main__":
    main()
