"""Work in several processes: order, errors, and the end of a process."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time

import pytest

from shardsmith.dataset import workers
from shardsmith.dataset.errors import ParamsError, StageError
from shardsmith.dataset.workers import map_items, worker_count

_READY = "SHARDSMITH_TEST_READY"


def _square(item: int) -> int:
    time.sleep(0.002 * (item % 3))
    return item * item


def _raise_at_5(item: int) -> int:
    if item == 5:
        raise StageError("item 5; leave it out")
    return item


def _die_at_5(item: int) -> int:
    if item == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def _set_up() -> None:
    os.environ[_READY] = "yes"


def _is_ready(item: int) -> tuple[str, bool]:
    return os.environ.get(_READY, ""), multiprocessing.parent_process() is not None


def _is_ready_later(item: int) -> tuple[str, bool]:
    time.sleep(0.004)
    return _is_ready(item)


@pytest.fixture(autouse=True)
def two_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARDSMITH_WORKERS", "2")
    monkeypatch.setenv(_READY, "")
    monkeypatch.setattr(workers, "ALONE_S", 0)


@pytest.mark.parametrize("workers", ["1", "2", "3"])
def test_results_keep_the_order_of_the_items(workers: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARDSMITH_WORKERS", workers)
    items = list(range(40))
    assert list(map_items(_square, items, "test", chunk=3)) == [i * i for i in items]


@pytest.mark.parametrize("alone_s", [0, 60])
def test_an_error_in_the_work_is_raised_here(alone_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "ALONE_S", alone_s)
    with pytest.raises(StageError, match="item 5; leave it out"):
        list(map_items(_raise_at_5, list(range(20)), "test", chunk=2))


def test_a_killed_process_is_one_clear_error() -> None:
    with pytest.raises(StageError, match=r"a worker process was killed.*SHARDSMITH_WORKERS=1"):
        list(map_items(_die_at_5, list(range(20)), "test", chunk=2))


@pytest.mark.parametrize(("alone_s", "elsewhere"), [(0, 39), (60, 0)])
def test_setup_runs_where_the_work_does(alone_s: float, elsewhere: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "ALONE_S", alone_s)
    results = list(map_items(_is_ready, list(range(40)), "test", setup=_set_up))
    assert results == [("yes", number >= 40 - elsewhere) for number in range(40)]


def test_long_work_goes_to_other_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "ALONE_S", 0.01)
    places = [elsewhere for _, elsewhere in map_items(_is_ready_later, list(range(20)), "test", chunk=1)]
    assert places[0] is False and places[-1] is True and places == sorted(places)


def test_nobody_has_to_take_all_results() -> None:
    results = map_items(_square, list(range(200)), "test", chunk=1)
    assert next(results) == 0
    results.close()  # type: ignore[attr-defined]


def test_no_items() -> None:
    assert list(map_items(_square, [], "test")) == []


@pytest.mark.parametrize(("text", "count"), [("1", 1), ("12", 12), (" 2 ", 2), ("", len(os.sched_getaffinity(0)))])
def test_worker_count(text: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARDSMITH_WORKERS", text)
    assert worker_count() == count


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "²"])
def test_worker_count_is_checked(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARDSMITH_WORKERS", text)
    with pytest.raises(ParamsError, match=f"SHARDSMITH_WORKERS={text}: not a number of processes"):
        worker_count()
