# ruff: noqa: E402
"""Run cases of fuzz.py: `python tests/fuzz_run.py CASES [FORMAT ...]` prints a line of JSON a format.

Each format runs in a process of its own with 1 GB beyond what it starts with. A case that takes 5 s of CPU, or raises
anything but a ShardsmithError, is a crash; so is one that makes or removes a file elsewhere, or opens one that it must
not (an audit hook sees it). `python tests/fuzz_run.py CASE` with a case as printed runs that one alone.
"""

from __future__ import annotations

import ast
import contextlib
import faulthandler
import io
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
os.environ.setdefault("SHARDSMITH_WORKERS", "1")

import fuzz_files as begin
from fuzz import OUTSIDE, change_bytes, change_json, change_ndjson, change_records, make_archive, text
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from stages.dataset import images
from stages.dataset.errors import ShardsmithError
from stages.dataset.label_map import LabelMap, parse_label_map, read_label_map
from stages.dataset.stage import read_stage, write_stage
from stages.ingest import ingest
from stages.params import IngestParams, load_params
from stages.transforms.any_transform import read_saved
from tools.archive import unpack

ROOT = Path(__file__).parents[1]
MOST_S = 5.0
MOST_BYTES = 10**9
Case = tuple[bool, list[int]]
_WRITES = {"os.remove", "os.rmdir", "os.mkdir", "os.rename", "os.link", "os.symlink", "os.truncate", "os.chmod"}
_BY_SUFFIX = {".json": change_json, ".ndjson": change_ndjson, ".jsonl": change_ndjson}


class TooSlow(BaseException):
    """A case took MOST_S of CPU."""


class Elsewhere(BaseException):
    """A case touched a file that is not its own."""


# what is done with a case's files


def _read(name: str) -> Callable[[Path, Random], bool]:
    def run(top: Path, rng: Random) -> bool:
        params = IngestParams(format="auto" if rng.random() < 0.15 else name)
        manifest, label_map, findings, _ = ingest(top / "raw", params, LabelMap("x"), top / "out")
        for path in manifest.images["path"].to_pylist():
            assert Path(path).resolve().is_relative_to(top / "raw") or Path(path).is_relative_to(top / "out"), path
        write_stage(top / "out", manifest, findings)
        again, found = read_stage(top / "out")
        assert (again.images.equals(manifest.images), len(found)) == (True, len(findings))
        assert parse_label_map(label_map.format(), "label map again").ids == label_map.ids
        return not findings

    return run


def _label_map(top: Path, rng: Random) -> bool:
    path = top / "raw/label_map.pbtxt"
    label_map = read_label_map(path)
    assert parse_label_map(label_map.format(), "again").ids == label_map.ids
    return True


def _images(top: Path, rng: Random) -> bool:
    for path in (each for each in (top / "raw").rglob("*") if each.is_file()):
        data = path.read_bytes()
        info = images.probe(data)
        if info.error or info.format is None:
            return False
        error = images.decoding_error(data, info.format)
        if error:
            return False
        with contextlib.suppress(ValueError):
            pixels = images.decode(data)
            assert pixels.shape == (info.height, info.width, 3), (pixels.shape, info)
            images.portable(data, info.format, info.orientation)
    return True


def _archive(top: Path, rng: Random) -> bool:
    archive = min((top / "raw").iterdir())
    try:
        unpack(archive, top / "out")
    finally:
        for path in (top / "out").rglob("*"):
            assert not path.is_symlink() and (path.is_file() or path.is_dir()), path
    return True


def _params(top: Path, rng: Random) -> bool:
    load_params(top / "raw/params.yaml")
    return True


def _pipeline(top: Path, rng: Random) -> bool:
    (path,) = (top / "raw/pipelines").iterdir()
    with contextlib.chdir(top / "raw"):
        try:
            read_saved(f"pipelines/{path.name}")
        except ValueError as error:  # pydantic makes it the field's error
            raise ShardsmithError(str(error)) from None
    return True


TARGETS: dict[str, Callable[[Path, Random], bool]] = {name: _read(name) for name in (*begin.GRAMMARS, "tfrecord")} | {
    "label_map": _label_map,
    "images": _images,
    "archives": _archive,
    "params": _params,
    "pipelines": _pipeline,
}
_SAVED = """{"__version__": "2.0.8", "transform": {"__class_fullname__": "Compose", "p": 1.0, "transforms": [
{"__class_fullname__": "HorizontalFlip", "p": 0.5}, {"__class_fullname__": "OneOf", "p": 0.5, "transforms": [
{"__class_fullname__": "Blur", "blur_limit": [3, 7], "p": 0.5}]}], "bbox_params": null, "is_check_shapes": true}}"""


def _seeds(name: str) -> list[begin.Files]:
    if name == "panlabel":
        return begin.raccoon(name)
    if name == "labelbox":
        return [*begin.raccoon(name), begin.GRAMMARS[name](Random(1))]
    if name == "label_map":
        text = LabelMap("x", {"cat": 1, 'd"o\\g': 7, "\u732b": 3}).format()
        return [{"label_map.pbtxt": text.encode()}, {"label_map.pbtxt": b'item {\n name: "a",\n id: 1,\n}\n'}]
    if name == "params":
        paths = [ROOT / "params.yaml", *sorted((ROOT / "examples").glob("*.yaml"))]
        return [{"params.yaml": path.read_bytes()} for path in paths]
    if name == "pipelines":
        as_yaml = "__version__: 2.0.8\ntransform:\n  __class_fullname__: HorizontalFlip\n  p: 0.5\n"
        return [{"pipelines/a.json": _SAVED.encode()}, {"pipelines/a.yaml": as_yaml.encode()}]
    if name in ("images", "archives"):
        return []
    return [begin.IMAGES | begin.written(name) if name == "voc" else begin.written(name), *begin.raccoon(name)]


def files_of(name: str, case: Case, seeds: list[begin.Files], top: Path) -> begin.Files:
    """The files of a case, by their path below the folder that the reader is given."""
    by_grammar, numbers = case
    first = Random(numbers[0])
    if name == "images":
        files = {"a.jpg": begin.picture(first)}
    elif name == "archives":
        files = dict([make_archive(first, str(top))])
    elif by_grammar and name == "label_map":
        files = begin.label_map_text(first)
    elif by_grammar and name in begin.GRAMMARS:
        made = begin.GRAMMARS[name](first)
        files = {path: data or begin.IMAGES["a.jpg"] for path, data in made.items()}
        files |= {} if name == "class_folders" else begin.IMAGES
    else:
        files = dict(first.choice(seeds or [begin.IMAGES]))
    every = sorted(files)
    annotations = [path for path in every if Path(path).suffix.lower() not in images.EXTENSIONS] or every
    for number in numbers[1:] if by_grammar else numbers:
        rng = Random(number)
        path = rng.choice(annotations if rng.random() < 0.95 else sorted(files))
        change = _BY_SUFFIX.get(Path(path).suffix, change_records if "record" in path else change_bytes)
        changed = (change if rng.random() < 0.85 else change_bytes)(files[path], rng)
        files[path] = changed.replace(b"{TOP}", str(top).encode())
        if rng.random() < 0.05:
            files |= {_other_name(path, rng): files[path]}
    return files


def _other_name(path: str, rng: Random) -> str:
    new = text(rng).replace("\0", "").replace("{TOP}", "").encode("utf-8", "ignore")
    new += b"\xff" if rng.random() < 0.1 else b""
    parts = [part[:200] for part in new.split(b"/") if part not in (b"", b".", b"..")][:20]
    return os.fsdecode(b"/".join(parts) + Path(path).suffix.encode()) if parts else "again" + Path(path).suffix


# one case after the other


class Runner:
    """Runs the cases of one format below `top`, and counts what came of them."""

    def __init__(self, name: str, top: Path, note: Path) -> None:
        self.name, self.top, self.note = name, top, note
        self.seeds = _seeds(name)
        self.counts: Counter[str] = Counter()
        self.crashes: dict[str, str] = {}
        self.slowest_s = 0.0
        self.allowed: list[str] = [f"{top}/", f"{tempfile.gettempdir()}/shardsmith-", "/dev/null"]
        self.watching = False
        (top / "outside").mkdir()
        (top / OUTSIDE).write_bytes(begin.IMAGES["a.jpg"])

    def run(self, case: Case) -> None:
        rng = Random(case[1][0])
        for part in ("raw", "out"):
            shutil.rmtree(self.top / part, ignore_errors=True)
            (self.top / part).mkdir()
        files = files_of(self.name, case, self.seeds, self.top)
        for path, data in files.items():
            with contextlib.suppress(OSError, ValueError):
                target = self.top / "raw" / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
        self.note.write_text(repr((self.name, case)))
        self.counts["cases"] += 1
        self.counts[self._outcome(case, rng, files)] += 1

    def _outcome(self, case: Case, rng: Random, files: begin.Files) -> str:
        start = time.process_time()
        faulthandler.dump_traceback_later(60, exit=True)
        signal.setitimer(signal.ITIMER_PROF, MOST_S)
        self.watching = True
        try:
            with contextlib.redirect_stderr(io.StringIO()):
                return "read" if TARGETS[self.name](self.top, rng) else "with findings"
        except ShardsmithError as error:
            said = str(error)
            names = [*files, *(Path(path).name for path in files), str(self.top), "pipelines/"]
            if any(name in said for name in names if name):
                return "refused"
            return self._crash(case, f"no file is named: {said[:100]}")
        except (Exception, TooSlow, Elsewhere) as error:
            frames = traceback.extract_tb(error.__traceback__)
            ours = [each for each in frames if str(ROOT) in each.filename and "tests" not in each.filename]
            at = f"{Path(ours[-1].filename).relative_to(ROOT)}:{ours[-1].lineno}" if ours else "?"
            return self._crash(case, f"{type(error).__name__} at {at}: {str(error)[:120]}", at + type(error).__name__)
        finally:
            self.watching = False
            signal.setitimer(signal.ITIMER_PROF, 0)
            faulthandler.cancel_dump_traceback_later()
            self.slowest_s = max(self.slowest_s, time.process_time() - start)

    def _crash(self, case: Case, what: str, key: str = "") -> str:
        if key not in self.crashes or len(repr(case)) < len(self.crashes[key].partition("\n")[2]):
            self.crashes[key] = f"{what}\n{(self.name, case)!r}"
        return "crashes"

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.watching:
            return
        if event == "open" and isinstance(arguments[0], str | bytes):
            path = os.path.abspath(os.fsdecode(arguments[0]))  # noqa: PTH100 (resolve() opens)
            writes = isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if (writes and not path.startswith(tuple(self.allowed))) or path.endswith(OUTSIDE) or path == "/etc/passwd":
                self._stop(event, path)
        elif event in _WRITES:
            paths = [os.fsdecode(each) for each in arguments[:2] if isinstance(each, str | bytes)]
            path = os.path.abspath(paths[-1]) if paths else ""  # noqa: PTH100
            if len(arguments) > 1 and isinstance(arguments[-1], int) and arguments[-1] >= 0 and event != "os.mkdir":
                return  # relative to an open folder, as shutil.rmtree does
            if path and not f"{path}/".startswith(tuple(self.allowed)) and "__pycache__" not in path:
                self._stop(event, path)
        elif event in ("socket.connect", "os.system", "pickle.find_class"):
            self._stop(event, str(arguments)[:100])

    def _stop(self, event: str, path: str) -> None:
        self.watching = False
        raise Elsewhere(f"{event} {path}")


def _too_slow(signum: int, frame: object) -> None:
    raise TooSlow(f"over {MOST_S:g} s")


def run_format(name: str, count: int, chance: int) -> dict[str, Any]:
    """In this process: the tally of `count` cases."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as temporary:
        runner = Runner(name, Path(temporary).resolve(), Path(os.environ["FUZZ_NOTE"]))
        signal.signal(signal.SIGPROF, _too_slow)
        runner.run((False, [1]))  # imports
        runner.counts.clear()
        runner.crashes.clear()
        runner.slowest_s = 0.0
        sys.addaudithook(runner.audit)
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + MOST_BYTES, size + MOST_BYTES))

        @seed(chance)
        @settings(
            max_examples=count,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.booleans(), st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=4))
        def cases(by_grammar: bool, numbers: list[int]) -> None:
            runner.run((by_grammar, numbers))

        cases()
        found = list(runner.crashes.values())
        return {"format": name, **runner.counts, "slowest_s": round(runner.slowest_s, 2), "found": found}


def _in_a_process(name: str, count: int, chance: int) -> Iterator[str]:
    """The tally as JSON, of a process that may die of it."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as temporary:
        note, result = Path(temporary) / "note", Path(temporary) / "result"
        os.environ["FUZZ_NOTE"] = str(note)
        child = os.fork()
        if not child:
            try:
                result.write_text(json.dumps(run_format(name, count, chance)))
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        if result.exists():
            yield result.read_text()
        else:
            last = note.read_text() if note.exists() else "no case"
            found = [f"the process died ({status})\n{last}"]
            yield json.dumps({"format": name, "cases": 0, "crashes": 1, "found": found})


def main(arguments: list[str]) -> None:
    if arguments[0].startswith("("):
        name, case = ast.literal_eval(arguments[0])
        with tempfile.TemporaryDirectory() as temporary:
            top = Path(temporary).resolve()
            runner = Runner(name, top, top / "note")
            files = files_of(name, case, runner.seeds, top)
            runner.run(case)
            for path, data in files.items():
                print(path, data[:600] if Path(path).suffix not in images.EXTENSIONS or name == "images" else len(data))
            print(runner.counts, "\n".join(runner.crashes.values()))
            TARGETS[name](top, Random(case[1][0]))
        return
    chance = int(os.environ.get("FUZZ_SEED", "0"))
    for name in arguments[1:] or list(TARGETS):
        for line in _in_a_process(name, int(arguments[0]), chance):
            print(line, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
