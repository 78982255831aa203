"""Work over many items in several processes, with results in the order of the items.

How many processes is the machine's affair and no parameter (`SHARDSMITH_WORKERS`, all cores by default): results must
not depend on it.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from itertools import chain, islice
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from shardsmith.dataset.errors import ParamsError, StageError

Item = TypeVar("Item")
Result = TypeVar("Result")

PROGRESS = "SHARDSMITH_PROGRESS"  # a file, in the environment
_WRITTEN_EVERY_S = 0.3
ALONE_S = 1.0  # of work that one process does before others are started, which takes them about as long
_PATIENCE_S = 0.5


def worker_count() -> int:
    """
    Raises:
        ParamsError: SHARDSMITH_WORKERS is no whole number above 0.
    """
    text = os.environ.get("SHARDSMITH_WORKERS", "").strip()
    if not text:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not text.isdecimal() or int(text) < 1:
        raise ParamsError(
            f"SHARDSMITH_WORKERS={text}: not a number of processes; set a whole number from 1, or unset it"
        )
    return int(text)


def map_items(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    label: str,
    unit: str = "image",
    chunk: int = 16,
    setup: Callable[[], None] | None = None,
    total: int | None = None,
    preload: Sequence[str] = (),
) -> Iterator[Result]:
    """Yield work(item) for each item, in order, with a progress bar on a terminal (or now and then a line in a log).

    Items are taken as they are needed, results given as they come: memory does not grow with how many there are. The
    first second of work is done here, so that little work starts no process.

    Args:
        work: a function at the top level of a module.
        chunk: items sent to a process at once.
        setup: called once in each process before any work, here too.
        total: how many items there are, for the progress bar, where they are no sequence.
        preload: modules that `work` imports by itself: once for all other processes.

    Raises:
        StageError: a process was killed from outside. What `work` raises is raised here.
    """
    with progress(len(items) if isinstance(items, Sequence) else total, label, unit) as bar:
        for number, result in enumerate(_map(work, items, chunk, setup, preload)):
            if number == 0:
                bar.unpause()  # its time begins with the work, not with what the processes import
            bar.update()
            yield result


def progress(total: int | None, label: str, unit: str) -> tqdm:
    """A progress bar on a terminal; elsewhere a line every ten seconds, so that a log shows it too."""
    interactive = sys.stderr.isatty()
    return _Bar(
        total=total,
        desc=label,
        unit=f" {unit}s",
        leave=False,
        mininterval=0.1 if interactive else 10,
        delay=0.5 if interactive else 10,
        dynamic_ncols=interactive,
        file=sys.stderr,
    )


class _Bar(tqdm):
    """One that also says how far it is in the file that SHARDSMITH_PROGRESS names: for who shows it elsewhere."""

    _written_s = 0.0

    def update(self, n: float | None = 1) -> bool | None:
        shown = super().update(n)
        now_s = time.monotonic()
        if PROGRESS in os.environ and (now_s - self._written_s > _WRITTEN_EVERY_S or self.n == self.total):
            self._written_s = now_s
            begun_s = max(self._time() - self.start_t, 1e-6)
            _write_progress(
                Path(os.environ[PROGRESS]),
                {"label": self.desc, "done": self.n, "total": self.total, "unit": self.unit.strip(),
                 "rate": self.n / begun_s, "at": time.time()},
            )  # fmt: skip
        return shown


def _write_progress(path: Path, content: dict[str, Any]) -> None:
    with suppress(OSError):  # a picture of the work is not the work
        part = path.with_suffix(".part")
        part.write_text(json.dumps(content), encoding="utf-8")
        part.replace(path)


def note_stage(stage: str) -> None:
    """Say what a build has come to beside the file that SHARDSMITH_PROGRESS names."""
    if PROGRESS in os.environ:
        _write_progress(Path(os.environ[PROGRESS]).with_suffix(".stage.json"), {"stage": stage, "begun": time.time()})


@contextmanager
def stages_bar(stages: Sequence[str]) -> Iterator[Callable[[str], None]]:
    """One bar over a whole build, on a terminal: which stage it has come to, of how many."""
    form = "{desc} [{n} of {total} stages done] {elapsed}"
    shown = sys.stderr.isatty()
    with tqdm(total=len(stages), bar_format=form, leave=False, disable=not shown, file=sys.stderr) as bar:

        def come_to(stage: str) -> None:
            bar.n = stages.index(stage) if stage in stages else bar.n
            bar.set_description_str(f"build: {stage}")
            note_stage(stage)

        yield come_to


def print_above(line: str) -> None:
    """A line on standard error, above the bar that may stand there."""
    tqdm.write(line, file=sys.stderr)


def _map(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    chunk: int,
    setup: Callable[[], None] | None,
    preload: Sequence[str],
) -> Iterator[Result]:
    items = iter(items)
    if setup:
        setup()
    workers = worker_count()
    yield from _alone(work, items, math.inf if workers == 1 else ALONE_S)
    first = list(islice(items, workers * chunk))
    workers = min(workers, -(-len(first) // chunk))
    if workers <= 1:
        yield from map(work, first)
        return
    # forkserver: a fork of this process could inherit a lock that one of its threads holds
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*(name for name in sys.modules if name.startswith("shardsmith.")), *preload])
    _start_server()
    pool = ProcessPoolExecutor(workers, context, _start_worker, (setup,))
    try:
        for results in _chunks(pool, work, chain(first, items), chunk, ahead=2 * workers):
            yield from results
    except BrokenProcessPool:
        raise StageError(
            "a worker process was killed, perhaps because memory ran out; try again with SHARDSMITH_WORKERS=1"
        ) from None
    except BaseException:
        manager: Any = pool._executor_manager_thread
        processes = list((pool._processes or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        if manager is not None:
            manager.join(_PATIENCE_S)  # until it has let go of what was cancelled; else it prints a traceback
        for process in processes:  # 3.14 has terminate_workers()
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start_server() -> None:
    """Else Python looks for its own modules in the current folder first, which may be a stranger's dataset."""
    before = os.environ.get("PYTHONSAFEPATH", "")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        forkserver.ensure_running()
    finally:
        os.environ["PYTHONSAFEPATH"] = before


def _alone(work: Callable[[Item], Result], items: Iterator[Item], most_s: float) -> Iterator[Result]:
    """The results of the first items, in this process, until the work has taken so long."""
    for item in items:
        start_s = time.monotonic()
        result = work(item)
        most_s -= time.monotonic() - start_s
        yield result
        if most_s < 0:
            return


def _chunks(
    pool: ProcessPoolExecutor, work: Callable[[Item], Result], items: Iterator[Item], chunk: int, ahead: int
) -> Iterator[list[Result]]:
    """The results of each chunk, in order; at most `ahead` chunks wait, so that results do not pile up in memory.

    Not pool.map: it cancels what waits when a process dies, and the pool's own thread then prints a traceback.
    """
    waiting: deque[Future[list[Result]]] = deque()
    while some := list(islice(items, chunk)):
        waiting.append(pool.submit(_work_through, work, some))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _work_through(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    return [work(item) for item in items]


def _start_worker(setup: Callable[[], None] | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's: it ends us
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if setup:
        setup()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
