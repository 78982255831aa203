# ruff: noqa: E402
"""Run cases of fuzz.py: `python tests/fuzz_run.py CASES [FORMAT ...]` prints a line of JSON a format.

Each format runs in a process of its own with 1 GB beyond what it starts with. A case that takes 5 s, or raises
anything but a ShardsmithError, is a crash; so is one that makes or removes a file outside `out`, or opens one that it
must not (an audit hook sees it). An image with lost annotations that is taken as a negative fails, too.
`python tests/fuzz_run.py CASE` with a case as printed runs that one alone; without arguments, lines of `CASES FORMAT`
come from the standard input.
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
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
os.environ.setdefault("SHARDSMITH_WORKERS", "1")

import fuzz_files as begin
import pandas  # noqa: F401 (pyarrow imports it for its first table: once here, not in the process of each format)
import pyarrow
from fuzz import OUTSIDE
from fuzz_targets import ROOT, TARGETS, Case, Tables, false_negatives, files_of, round_trip, seeds_of
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from shardsmith.dataset import images
from shardsmith.dataset.errors import ShardsmithError

MOST_S = 5.0
MOST_BYTES = 10**9
_WRITES = {"os.remove", "os.rmdir", "os.mkdir", "os.rename", "os.link", "os.symlink", "os.truncate", "os.chmod"}
_MEMORY = "/dev/shm"  # where there is one: a case writes five files and removes them
_AT_ONCE = 25  # cases whose tables are written together
_STUCK_S = 60  # in a library that lets no Python run, so that no signal is seen


class TooSlow(BaseException):
    """A case took MOST_S."""


class Elsewhere(BaseException):
    """A case touched a file that is not its own."""


class Clock:
    """How long something takes, asleep or at work, but not what it waits for a CPU that others have."""

    def __init__(self) -> None:
        self.start_s = self._now_s()

    def took_s(self) -> float:
        return self._now_s() - self.start_s

    @staticmethod
    def _now_s() -> float:
        try:
            waited_ns = int(Path("/proc/thread-self/schedstat").read_text().split()[1])
        except OSError:  # a kernel that does not count it
            waited_ns = 0
        return time.monotonic() - waited_ns / 1e9


class Runner:
    """Runs the cases of one format below `top`, and counts what came of them."""

    def __init__(self, name: str, top: Path, note: Path) -> None:
        self.name, self.top, self.note = name, top, note
        self.seeds = seeds_of(name)
        self.counts: Counter[str] = Counter()
        self.crashes: dict[str, str] = {}
        self.slowest_s = 0.0
        self.unsettled: list[tuple[Case, Tables]] = []
        self.placed: begin.Files = {}
        self.allowed = (f"{top}/out/", f"{tempfile.gettempdir()}/shardsmith-", "/dev/null")
        self.watching = False
        self.clock = Clock()
        self.guarded_s = 0.0
        (top / "outside").mkdir()
        (top / OUTSIDE).write_bytes(begin.IMAGES["a.jpg"])
        signal.signal(signal.SIGALRM, self._alarm)

    def run(self, case: Case) -> None:
        rng = Random(case[1][0])
        files, had = files_of(self.name, case, self.seeds, self.top)
        self._place(files)
        self._empty("out")
        self.note.write_text(repr((self.name, case)))
        self.counts["cases"] += 1
        self.counts[self._outcome(case, rng, files, had)] += 1
        if len(self.unsettled) >= _AT_ONCE:
            self.settle()

    def settle(self) -> None:
        """See whether what was read since the last time survives being written."""
        try:
            if self.unsettled:
                round_trip([tables for _, tables in self.unsettled], self.top / "out")
        except Exception:
            for case, tables in self.unsettled:
                try:
                    round_trip([tables], self.top / "out")
                except Exception as error:
                    self.counts[self._crash(case, f"{type(error).__name__}: {str(error)[:100]}", "tables")] += 1
        self.unsettled = []

    def _place(self, files: begin.Files) -> None:
        """Make raw hold these files: those that differ are written, as the images are mostly the same."""
        if files.keys() != self.placed.keys():
            self._empty("raw")
            self.placed = {}
        for path, data in files.items():
            if self.placed.get(path) != data:
                with contextlib.suppress(OSError, ValueError):
                    target = self.top / "raw" / path
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(data)
        self.placed = files

    def _empty(self, part: str) -> None:
        shutil.rmtree(self.top / part, ignore_errors=True)
        (self.top / part).mkdir()

    def _outcome(self, case: Case, rng: Random, files: begin.Files, had: list[str]) -> str:
        if time.monotonic() - self.guarded_s > _STUCK_S:  # not for each case: it starts a thread
            self.guarded_s = time.monotonic()
            faulthandler.dump_traceback_later(3 * _STUCK_S, exit=True)
        self.clock = Clock()
        signal.setitimer(signal.ITIMER_REAL, MOST_S)
        self.watching = True
        try:
            with contextlib.redirect_stderr(io.StringIO()):
                read = TARGETS[self.name](self.top, rng)
            if isinstance(read, tuple):
                self.unsettled.append((case, read))
                if false := false_negatives(read, had):
                    self.counts["negatives"] += len(false)
                    self._crash(case, f"taken as negatives, with lost objects: {', '.join(false)}", "negatives")
            outcome = "with findings" if read is False or (isinstance(read, tuple) and read[1]) else "read"
        except ShardsmithError as error:
            outcome = "refused"
            said = str(error)
            names = [*files, *(Path(path).name for path in files), str(self.top), "pipelines/"]
            if not any(name in said for name in names if name):
                outcome = self._crash(case, f"no file is named: {said[:100]}")
        except (Exception, TooSlow, Elsewhere) as error:
            frames = traceback.extract_tb(error.__traceback__)
            ours = [each for each in frames if str(ROOT) in each.filename and "tests" not in each.filename]
            at = f"{Path(ours[-1].filename).relative_to(ROOT)}:{ours[-1].lineno}" if ours else "?"
            outcome = self._crash(
                case, f"{type(error).__name__} at {at}: {str(error)[:120]}", at + type(error).__name__
            )
        finally:
            self.watching = False
            signal.setitimer(signal.ITIMER_REAL, 0)
        took_s = self.clock.took_s()
        self.slowest_s = max(self.slowest_s, took_s)
        if took_s > MOST_S and outcome != "crashes":  # it kept the alarm from coming up
            outcome = self._crash(case, f"TooSlow: {took_s:.1f} s")
        return outcome

    def _alarm(self, signum: int, frame: object) -> None:
        left_s = MOST_S - self.clock.took_s()
        if left_s <= 0:
            raise TooSlow(f"over {MOST_S:g} s")
        signal.setitimer(signal.ITIMER_REAL, left_s + 0.01)

    def _crash(self, case: Case, what: str, key: str = "") -> str:
        if key not in self.crashes or len(repr(case)) < len(self.crashes[key].partition("\n")[2]):
            self.crashes[key] = f"{what}\n{(self.name, case)!r}"
        return "crashes"

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.watching:
            return
        if event == "open" and isinstance(arguments[0], str | bytes):
            path = os.path.abspath(os.fsdecode(arguments[0]))  # noqa: PTH100 (resolve() opens)
            flags = arguments[2] if isinstance(arguments[2], int) else 0
            unnamed = path == os.getcwd()  # noqa: PTH109 (a file in it without a name, which nobody else sees)
            writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and not unnamed
            if (writes and not path.startswith(self.allowed)) or path.endswith(OUTSIDE) or path == "/etc/passwd":
                self._stop(event, path)
        elif event in _WRITES:
            paths = [os.fsdecode(each) for each in arguments[:2] if isinstance(each, str | bytes)]
            path = os.path.abspath(paths[-1]) if paths else ""  # noqa: PTH100
            if len(arguments) > 1 and isinstance(arguments[-1], int) and arguments[-1] >= 0 and event != "os.mkdir":
                return  # relative to an open folder, as shutil.rmtree does
            if path and not f"{path}/".startswith(self.allowed) and "__pycache__" not in path:
                self._stop(event, path)
        elif event in ("socket.connect", "os.system", "pickle.find_class"):
            self._stop(event, str(arguments)[:100])

    def _stop(self, event: str, path: str) -> None:
        self.watching = False
        raise Elsewhere(f"{event} {path}")


def run_format(name: str, count: int, chance: int, note: Path) -> dict[str, Any]:
    """In this process: the tally of `count` cases."""
    memory = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=memory) as temporary:
        runner = Runner(name, Path(temporary).resolve(), note)
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
        runner.settle()
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return {
            "format": name, **runner.counts, "slowest_s": round(runner.slowest_s, 2),
            "largest_mb": max(each.ru_maxrss for each in used) // 1000,
            "cpu_s": round(sum(each.ru_utime + each.ru_stime for each in used), 1),
            "found": list(runner.crashes.values()),
        }  # fmt: skip


def in_a_process(name: str, count: int, chance: int) -> str:
    """The tally as JSON, of a process that may die of it."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as temporary:
        note, result = Path(temporary) / "note", Path(temporary) / "result"
        child = os.fork()
        if not child:
            try:
                result.write_text(json.dumps(run_format(name, count, chance, note)))
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        if result.exists():
            return result.read_text()
        last = note.read_text() if note.exists() else "no case"
        found = [f"the process died ({status})\n{last}"]
        return json.dumps({"format": name, "cases": 0, "crashes": 1, "found": found})


def run_one(name: str, case: Case) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        top = Path(temporary).resolve()
        runner = Runner(name, top, top / "note")
        for path, data in files_of(name, case, runner.seeds, top)[0].items():
            print(path, data[:600] if Path(path).suffix not in images.EXTENSIONS or name == "images" else len(data))
        runner.run(case)
        runner.settle()
        print(dict(runner.counts), f"{runner.slowest_s:.2f} s", *runner.crashes.values(), sep="\n")
        TARGETS[name](top, Random(case[1][0]))


def main(arguments: list[str], lines: Iterable[str]) -> None:
    if arguments and arguments[0].startswith("("):
        run_one(*ast.literal_eval(arguments[0]))
        return
    pyarrow.set_cpu_count(1)
    chance = int(os.environ.get("FUZZ_SEED", "0"))
    for line in [" ".join(arguments)] if arguments else lines:
        count, *names = line.split()
        for name in names or list(TARGETS):
            print(in_a_process(name, int(count), chance), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:], sys.stdin)
