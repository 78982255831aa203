"""Thousands of broken files in every format: read, read with findings, or refused with a message that names the file.

fuzz.py changes files, fuzz_files.py has real ones to begin with, fuzz_grammars.py makes others up, fuzz_targets.py says
what reads them, and fuzz_run.py runs it in a process with limits and counts.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import warm
from conftest import image_bytes
from fuzz_targets import TARGETS
from workspaces import Place, make_workspace

Note = Callable[[str, object], None]
RUN = Path(__file__).with_name("fuzz_run.py")
CASES, MANY = 200, 20_000  # a format: in `make test`, and in `make test-long`
SLOW = {"panlabel": 10, "params": 2, "pipelines": 3}  # many of the 20,000: a program, or a library, for each case


@pytest.fixture(scope="module")
def runner() -> Iterator[subprocess.Popen[str]]:
    """One process that has imported everything, and forks for each format."""
    command = [sys.executable, str(RUN)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process


def check(runner: subprocess.Popen[str], format: str, cases: int, note: Note) -> None:
    """Run so many cases; the tally goes to the end of pytest's output, by tests/tallies.py."""
    assert runner.stdin and runner.stdout
    print(cases, format, file=runner.stdin, flush=True)
    counts = json.loads(runner.stdout.readline())
    noted = ("cases", "crashes", "negatives", "slowest_s", "largest_mb", "cpu_s")
    note("fuzz", {"format": format, **{at: counts.get(at, 0) for at in noted}})
    assert counts["found"] == [], "\n".join(counts["found"])
    assert counts["cases"] >= cases * 0.99  # hypothesis stops where it has no new case
    assert counts.get("refused", 0) + counts.get("with findings", 0) > cases / 20


@pytest.mark.slow
@pytest.mark.parametrize("format", list(TARGETS))
def test_broken_files(format: str, runner: subprocess.Popen[str], record_property: Note) -> None:
    check(runner, format, CASES, record_property)


@pytest.mark.long
@pytest.mark.parametrize("format", list(TARGETS))
def test_many_broken_files(format: str, runner: subprocess.Popen[str], record_property: Note) -> None:
    check(runner, format, MANY // SLOW.get(format, 1), record_property)


@pytest.mark.slow
def test_the_runner_sees_what_it_should(tmp_path: Path) -> None:
    """A reader that crashes, hangs, sleeps, eats memory, writes elsewhere, opens what lies outside, names no file, or
    leaves an image empty."""
    elsewhere = tmp_path / "elsewhere"
    script = tmp_path / "run.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(RUN.parent)!r})\n"
        "import fuzz_run, time\n"
        "from conftest import make_image, make_manifest\n"
        "from pathlib import Path\n"
        "from shardsmith.dataset.findings import about\n"
        "from shardsmith.dataset.errors import RawDataError\n"
        "def forever(top, rng):\n    while True: pass\n"
        "def deep(top, rng): deep(top, rng)\n"
        "def empty(top, rng): return make_manifest(make_image(top / 'out')), [about('class-omitted', 'a.jpg')]\n"
        "def nameless(top, rng): raise RawDataError('it is wrong')\n"
        "bad = {'coco': lambda top, rng: 1 / 0, 'images': deep, 'voc': lambda top, rng: bytearray(12 * 10**8),\n"
        f"       'tfrecord': lambda top, rng: Path({str(elsewhere)!r}).write_text('x'),\n"
        "       'yolo_keras': lambda top, rng: (top / 'out/../../x').write_text('x'),\n"
        "       'yolo_darknet': lambda top, rng: next((top / 'raw').iterdir()).write_text('x'),\n"
        "       'labelbox': lambda top, rng: (top / fuzz_run.OUTSIDE).read_bytes(), 'tfod_csv': nameless,\n"
        "       'darwin': empty,\n"
        "       'ultralytics': forever, 'panlabel': lambda top, rng: time.sleep(0.7)}\n"
        "fuzz_run.TARGETS.update(bad); fuzz_run.MOST_S = 0.5\n"
        "fuzz_run.main(['2', *bad], [])\n",
        encoding="utf-8",
    )
    ran = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    said = {(row := json.loads(line))["format"]: row["found"][0].split()[0] for line in ran.stdout.splitlines()}
    assert said == {
        "coco": "ZeroDivisionError", "images": "RecursionError", "voc": "MemoryError", "tfrecord": "Elsewhere",
        "yolo_keras": "Elsewhere", "yolo_darknet": "Elsewhere", "labelbox": "Elsewhere", "tfod_csv": "no",
        "darwin": "taken", "ultralytics": "TooSlow", "panlabel": "TooSlow",
    }  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("fuzz")
    return make_workspace(folder / "work", folder / "home")


@pytest.mark.slow
@pytest.mark.xdist_group("fuzz")
@pytest.mark.parametrize(
    ("file", "data", "message"),
    [
        ("set/a.json", b'{"images": [', "a.json"),
        ("set/a.json", b'{"images": [{"id": 1, "file_name": ' + b"[" * 100_000, "a.json"),
        ("set/\x1b]0;x\x07.xml", b"<annotation><filename>\x1b</filename>", "voc"),
        ("set.zip", b"PK\x03\x04" + b"\0" * 40, "set.zip"),
        ("set/data.yaml", b"names: &a [*a]", "data.yaml"),
    ],
    ids=["cut JSON", "deep JSON", "escape codes", "archive", "YAML"],
)
def test_a_command_says_it_in_one_message(place: Place, tmp_path: Path, file: str, data: bytes, message: str) -> None:
    """The whole command: no traceback, exit code 1 or 2, nothing made."""
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_bytes(data)
    (tmp_path / file).with_name("a.txt").write_text("0 0.5 0.5 0.1 0.1")
    (tmp_path / file).with_name("a.jpg").write_bytes(image_bytes())
    source = tmp_path / Path(file).parts[0]
    command = warm.command("shardsmith", "convert", str(source), "--to", "coco", "--out", str(tmp_path / "out"))
    ran = place.run(*command, ok=False)  # not a fork, in which DVC has a hand in what is written to a terminal
    said = ran.stdout + ran.stderr
    assert (ran.returncode in (1, 2), "Traceback" in said, message in said) == (True, False, True), said
    assert not (tmp_path / "out").exists()
