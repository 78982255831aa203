"""What a workspace's flows/build.py is put together from: a build, stage by stage, tasks where Prefect runs."""

from __future__ import annotations

import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from shardsmith.dataset.errors import ShardsmithError, StageError
from shardsmith.dataset.workers import note_stage, stages_bar
from shardsmith.flow import clone
from shardsmith.flow.engine import as_flow, as_task, in_run, run_id, say
from shardsmith.store.stores import open_stores
from shardsmith.versions import record as recording
from shardsmith.versions.publish import Publishing
from shardsmith.versions.record import Outcome
from shardsmith.versions.tree import Tree, kept_tree
from shardsmith.workspace.environment import prepare_environment
from shardsmith.workspace.paths import EXPORT, JUDGED, METRICS
from shardsmith.workspace.settings import applied
from shardsmith.workspace.workspace import Workspace

Flow = TypeVar("Flow", bound=Callable[..., Any])
_SHOWN = 30
_WEEK_S = 7 * 24 * 3600


@dataclass
class Run:
    """A build at work in a workspace.

    before: the tag of the version before it. lines: the last ones of the log. tree: the files
    that are put back where nothing is recorded. reader: TensorFlow's process, which takes seconds to start.
    """

    workspace: Workspace
    dataset: str = ""
    before: str | None = None
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=_SHOWN))
    tree: Tree | None = None
    reader: subprocess.Popen[str] | None = None

    def log(self, message: str) -> None:
        """To Prefect's page, and to the terminal where the build was started there."""
        self.lines.append(message)
        say(message)

    def stages(self) -> Iterator[tuple[str, Iterator[str]]]:
        """`dvc repro`: each stage as DVC comes to it, with what it says; none where nothing would change."""
        if recording.is_current(self.workspace, self.dataset):
            return
        with stages_bar(self.workspace.stage_names()) as come_to:
            for stage, lines in self.workspace.repro():
                if stage:
                    come_to(stage)
                    if stage == "export" and "tfrecord" in self.workspace.params().export.formats:
                        self.reader = _start_reader(self.workspace)
                    yield stage, lines
                else:
                    for line in lines:
                        self.log(line)


def told(flow: Flow) -> Flow:
    """The flow, with an error of ours as a failed state that says what to do, and the version as its result.

    A version that is made is an asset of Prefect's, and an event: both once the flow is through, so that whoever
    waits for them finds its tag.
    """

    def publish(error: ShardsmithError) -> None:
        from shardsmith.flow import artifacts

        artifacts.publish_failure(error, getattr(error, "lines", ()))

    def announce(outcome: Outcome) -> None:
        if outcome.made:
            from shardsmith.flow import artifacts

            artifacts.announce(outcome)

    return as_flow(flow, publish, announce)  # type: ignore[return-value]


@contextmanager
def started(workspace: Workspace, name: str | None, settings: dict[str, Any], wait: bool = True) -> Iterator[Run]:
    """A build in the workspace, which is locked for it; the settings stand in params.yaml, and stay if it succeeds.

    Args:
        name: what the version is to be called; the UTC time if None.
        settings: params.yaml's values to change, {"augment.copies": 3}.
        wait: for another build in this workspace; else fail.

    Raises:
        ShardsmithError: the build could not be recorded; or what is raised inside.
    """
    run = Run(workspace)
    prepare_environment()
    try:
        with workspace.lock(run.log, wait), applied(workspace, settings), kept_tree(workspace) as run.tree:
            run.dataset = recording.prepare(workspace, name, run.log)
            run.before = recording.last_tag(workspace, run.dataset)
            yield run
    except ShardsmithError as error:
        error.lines = list(run.lines)  # type: ignore[attr-defined]
        raise
    finally:
        if run.reader:
            run.reader.kill()
            run.reader.wait()


def run_stage(run: Run, stage: str, lines: Iterator[str]) -> None:
    """One stage of `dvc repro`, as a task of its own: until it is done, or left as it is.

    Raises:
        StageError: it failed.
    """

    def work() -> None:
        for line in lines:
            run.log(line)

    as_task(stage, work)


def read_back(run: Run) -> None:
    """TensorFlow reads every record, in a process of its own.

    Raises:
        StageError: it does not read what was written.
    """
    note_stage("read back")
    as_task("read back", lambda: _read_back(run))


def record(run: Run, name: str | None, how: Publishing) -> Outcome:
    """Push, commit and tag what stands in the workspace; or say that nothing changed.

    Raises:
        StageError: it cannot be recorded.
    """
    note_stage("record")
    outcome: Outcome = as_task(
        "record", lambda: recording.record(run.workspace, run.dataset, name, run.log, how, run_id())
    )
    if run.tree:
        run.tree.recorded = outcome.made
    return outcome


def show(run: Run, outcome: Outcome) -> None:
    """The version on Prefect's page: its counts, findings, changes and pictures."""
    if in_run():
        from shardsmith.flow import artifacts

        artifacts.publish_version(run.workspace, outcome, run.before)


def refresh(workspace: Workspace) -> Workspace:
    """The clone that scheduled builds are made in, brought up to date: code, parameters, raw data.

    Raises:
        StageError: git or dvc refuses, or the raw data's source cannot be read.
    """
    prepare_environment()
    return as_task("refresh", lambda: clone.refresh(workspace, say))


def is_due(workspace: Workspace) -> bool:
    """Whether it is a week since all that a version needs was hashed."""
    with open_stores(workspace) as stores:
        return stores.known.age_s(stores.cache) > _WEEK_S


def hand_over(workspace: Workspace, outcome: Outcome) -> None:
    """Give the workspace's repository a version that was made in its clone."""
    clone.hand_over(workspace, outcome.tag)


def _read_back(run: Run) -> None:
    folder = run.workspace.root / EXPORT / "tfrecord"
    if not folder.is_dir():
        run.log("read back: no TFRecord in this version, so there is nothing for TensorFlow to read")
        return
    reader = run.reader = run.reader or _start_reader(run.workspace)
    said, _ = reader.communicate("go\n")
    run.log(said.strip())
    if reader.returncode:
        raise StageError("TensorFlow does not read back what was written; no version was recorded")


def _start_reader(workspace: Workspace) -> subprocess.Popen[str]:
    """A process that loads TensorFlow, and reads the export back when it is told to."""
    command = [
        sys.executable,
        "-m",
        "shardsmith.proof.readback",
        f"{EXPORT}/tfrecord",
        METRICS,
        "--known",
        JUDGED,
        "--when-told",
    ]
    return subprocess.Popen(  # in a session of its own: Ctrl-C is ours, and ends it
        command, cwd=workspace.root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
