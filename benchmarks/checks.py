"""What validate's looking costs: every image decoded and every check, against a plain decode loop on the same cores.

    python benchmarks/checks.py [-n IMAGES] [--runs N] [--workers N] [--hashes N N]

Both are whole processes, in turns, on the N images of 640 x 480 pixels and about 100 kB that bench.py makes; the
loop is `simplejpeg.decode_jpeg` of each file in a pool, and nothing else. The images are some 60 pictures with noise,
so nearly all have near-identical twins: more work for the search than a real set gives. Then the search alone, for
fingerprints of which one in twenty has a twin, and for crowded ones, of which most bands agree; and its memory.
Last the search for mirrored, turned and cropped copies, of which one image in twenty is one.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import simplejpeg  # noqa: E402

from benchmarks.inputs import prepare  # noqa: E402
from shardsmith.dataset.workers import worker_count  # noqa: E402
from shardsmith.pipeline.checks.copies import SIDE, find_copies  # noqa: E402
from shardsmith.pipeline.checks.prints import Fingerprints  # noqa: E402
from shardsmith.pipeline.checks.similar import find_pairs  # noqa: E402
from shardsmith.workspace.template.pin import pin_code  # noqa: E402
from shardsmith.workspace.workspace import Workspace  # noqa: E402

STAGES = Path(__file__).resolve().parents[1] / "stages"
WORK = ROOT / "benchmarks" / "work"
MEASURE = ROOT / "benchmarks" / "measure.py"
_TWINS, _CHANGED_BITS = 20, 10  # one image in so many has a twin, with so many bits changed


def decode_all(folder: Path, workers: int) -> None:
    paths = sorted(folder.glob("*.jpg"))
    with multiprocessing.Pool(workers) as pool:
        for _ in pool.imap_unordered(decode, paths, chunksize=16):
            pass


def decode(path: Path) -> tuple[int, ...]:
    return simplejpeg.decode_jpeg(path.read_bytes()).shape


def measured(command: list[str], folder: Path, workers: int) -> dict[str, float]:
    env = os.environ | {"PYTHONPATH": str(ROOT), "SHARDSMITH_WORKERS": str(workers)}
    done = subprocess.run(
        [sys.executable, str(MEASURE), sys.executable, *command], cwd=folder, env=env, capture_output=True, text=True
    )
    result = json.loads(done.stdout.splitlines()[-1])
    if result["code"]:
        sys.exit(done.stdout + done.stderr)
    return result


def compare(count: int, runs: int, workers: int) -> None:
    images = prepare(WORK, count, None)
    place = WORK / f"checks-{count}"
    (place / "data").mkdir(parents=True, exist_ok=True)
    (place / "params.yaml").write_text("")
    pin_code(Workspace(place))
    raw = place / "data" / "raw"
    if not raw.exists():
        raw.symlink_to(images)
    measured([STAGES / "ingest.py", "data/raw", "data/ingest", "data/label_map.pbtxt"], place, workers)
    rows = {
        "validate": [STAGES / "validate.py", "data/ingest", "data/validate"],
        "a plain decode loop": [__file__, "--loop", str(images / "JPEGImages"), "--workers", str(workers)],
    }
    results: dict[str, list[dict[str, float]]] = {name: [] for name in rows}
    for _ in range(runs):
        for name, command in rows.items():
            results[name].append(measured(command, place, workers))
    print(f"\n{count:,} images; median of {runs} runs; {workers} workers\n")
    print(f"{'':24}{'wall s':>10}{'CPU s':>10}{'peak MB':>10}")
    middle = {}
    for name, each in results.items():
        middle[name] = {key: statistics.median(one[key] for one in each) for key in ("wall_s", "cpu_s", "peak_mb")}
        print(f"{name:24}" + "".join(f"{value:10.2f}" for value in middle[name].values()))
    one, other = middle.values()
    print(f"{'ratio':24}{one['wall_s'] / other['wall_s']:10.2f}{one['cpu_s'] / other['cpu_s']:10.2f}")


def fingerprints(count: int, crowded: bool) -> list[bytes]:
    rng = np.random.default_rng(0)
    prints = rng.integers(0, 256, (count, 1056), dtype=np.uint8)
    if crowded:
        prints[:, :20] = 0
    for row in range(0, count - 1, _TWINS):
        prints[row + 1] = prints[row]
        for bit in rng.choice(256, _CHANGED_BITS, replace=False):
            prints[row + 1, bit // 8] ^= 1 << (bit % 8)
    return [row.tobytes() for row in prints]


def search(counts: list[int]) -> None:
    print(f"\n{'near-duplicate search':24}{'CPU s':>10}{'added MB':>10}{'pairs':>10}")
    for crowded in (False, True):
        for count in counts:
            prints = Fingerprints(fingerprints(count, crowded))
            start = time.process_time()
            pairs = find_pairs(prints, 20)
            seconds = time.process_time() - start
            tracemalloc.start()
            find_pairs(prints, 20)
            peak = tracemalloc.get_traced_memory()[1] / 1e6
            tracemalloc.stop()
            name = f"{count:,}{' crowded' if crowded else ''}"
            print(f"{name:24}{seconds:10.2f}{peak:10.1f}{len(pairs):10,}")


def pictures(count: int) -> np.ndarray:
    """(count, SIDE, SIDE) thumbnails of no picture, as smooth as photographs; one in twenty is mirrored."""
    rng = np.random.default_rng(0)
    frequency = np.hypot(np.fft.fftfreq(2 * SIDE)[:, None], np.fft.fftfreq(2 * SIDE)[None])
    frequency[0, 0] = np.inf
    made = np.empty((count, SIDE, SIDE), np.uint8)
    for row in range(count):
        spectrum = (rng.normal(size=frequency.shape) + 1j * rng.normal(size=frequency.shape)) / frequency
        grey = np.fft.ifft2(spectrum).real[:SIDE, :SIDE]
        made[row] = np.clip(128 + 50 * (grey - grey.mean()) / grey.std(), 0, 255)
    made[1::_TWINS] = made[:-1:_TWINS, :, ::-1]
    return made


def search_copies(counts: list[int]) -> None:
    print(f"\n{'mirrored, turned, cropped':24}{'wall s':>10}{'CPU s':>10}{'pairs':>10}")
    for count in counts:
        thumbnails = pictures(count)
        start, began = time.process_time(), time.perf_counter()
        pairs = find_copies(thumbnails, 20)
        wall, seconds = time.perf_counter() - began, time.process_time() - start
        print(f"{count:<24,}{wall:10.2f}{seconds:10.2f}{len(pairs):10,}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("-n", type=int, default=2000, help="how many images")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--workers", type=int, default=worker_count())
    parser.add_argument("--hashes", type=int, nargs="*", default=[5000, 20_000])
    parser.add_argument("--loop", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.loop:
        decode_all(options.loop, options.workers)
        return
    compare(options.n, options.runs, options.workers)
    search(options.hashes)
    search_copies(options.hashes)


if __name__ == "__main__":
    main()
