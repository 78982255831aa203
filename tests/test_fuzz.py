"""Thousands of broken files in every format: read, read with findings, or refused with a message that names the file.

fuzz.py changes files, fuzz_files.py has those to begin with, fuzz_run.py runs them in a process with limits and counts.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import image_bytes
from fuzz_run import TARGETS
from workspaces import Place, make_workspace

RUN = Path(__file__).with_name("fuzz_run.py")
CASES, MANY = 500, 20_000
# a program each, or a library, or one slow case in 600 (a label map of protobuf text): so many times fewer
HEAVY = {"panlabel": 10, "pipelines": 5, "params": 2, "retinanet_csv": 10}


def tally(format: str, cases: int, capsys: pytest.CaptureFixture[str]) -> dict:
    """Run it and print what came of it: `coco: 500 cases, 431 read, 69 refused, 0 crashes, slowest 0.2 s`."""
    ran = subprocess.run([sys.executable, str(RUN), str(cases), format], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    counts = json.loads(ran.stdout)
    with capsys.disabled():
        read, found, refused, crashes = (counts.get(at, 0) for at in ("read", "with findings", "refused", "crashes"))
        outcome = f"{read:,} read, {found:,} with findings, {refused:,} refused, {crashes:,} crashes"
        print(f"\n{format}: {counts['cases']:,} cases, {outcome}, slowest {counts.get('slowest_s', 0):.1f} s", end=" ")
    return counts


@pytest.mark.slow
@pytest.mark.parametrize("format", list(TARGETS))
def test_broken_files(format: str, capsys: pytest.CaptureFixture[str]) -> None:
    counts = tally(format, CASES // HEAVY.get(format, 1), capsys)
    assert counts["found"] == [], "\n".join(counts["found"])
    assert counts.get("refused", 0) + counts.get("with findings", 0) > counts["cases"] / 20


@pytest.mark.long
@pytest.mark.parametrize("format", list(TARGETS))
def test_many_broken_files(format: str, capsys: pytest.CaptureFixture[str]) -> None:
    counts = tally(format, MANY // HEAVY.get(format, 1), capsys)
    assert counts["found"] == [], "\n".join(counts["found"])


def test_the_runner_sees_what_it_should(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that crashes, hangs, eats memory, writes elsewhere, opens what lies outside or names no file."""
    script = tmp_path / "run.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(RUN.parent)!r})\n"
        "import fuzz_run, json\n"
        "from pathlib import Path\n"
        "from stages.dataset.errors import RawDataError\n"
        "def forever(top, rng):\n    while True: pass\n"
        "def nameless(top, rng): raise RawDataError('it is wrong')\n"
        "bad = {'coco': lambda top, rng: 1 / 0, 'voc': lambda top, rng: bytearray(2 * 10**9),\n"
        f"       'tfrecord': lambda top, rng: Path({str(tmp_path / 'elsewhere')!r}).write_text('x'),\n"
        "       'labelbox': lambda top, rng: (top / fuzz_run.OUTSIDE).read_bytes(), 'tfod_csv': nameless,\n"
        "       'ultralytics': forever}\n"
        "fuzz_run.TARGETS.update(bad); fuzz_run.MOST_S = 0.3\n"
        "fuzz_run.main(['3', *bad])\n",
        encoding="utf-8",
    )
    ran = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    said = {(row := json.loads(line))["format"]: row["found"][0].split()[0] for line in ran.stdout.splitlines()}
    assert said == {
        "coco": "ZeroDivisionError", "voc": "MemoryError", "tfrecord": "Elsewhere", "labelbox": "Elsewhere",
        "tfod_csv": "no",
        "ultralytics": "TooSlow",
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
        ("set/a.json", b'{"images": ' + b"[" * 100_000, "a.json"),
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
    ran = place.shardsmith("convert", str(source), "--to", "coco", "--out", str(tmp_path / "out"), ok=False)
    said = ran.stdout + ran.stderr
    assert (ran.returncode in (1, 2), "Traceback" in said, message in said) == (True, False, True), said
    assert not (tmp_path / "out").exists()
