"""The Prefect flow: run the pipeline of dvc.yaml, a task a stage, let TensorFlow read it back, record the version."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run
from prefect.states import Completed, Failed, State

from flows import apart, artifacts, form, recording
from flows.environment import prepare_environment
from flows.publish import Publishing
from flows.repository import Log, Workspace
from flows.settings import applied
from flows.versions import EXPORT, METRICS, own_dataset
from stages.dataset.errors import ShardsmithError, StageError, VersionError

_echo: list[Log] = []
_lines: deque[str] = deque(maxlen=30)


@task(task_run_name="{stage}", cache_policy=NO_CACHE)
def run_stage(stage: str, lines: Iterator[str]) -> Any:
    """One stage of `dvc repro`, from when DVC comes to it until it is done or left as it is."""
    return _or_failed(lambda log: _say(lines, log))


@task(task_run_name="read back")
def read_back() -> Any:
    """TensorFlow reads every record, in a process of its own."""
    return _or_failed(_read_back)


@task(task_run_name="record")
def record_version(name: str | None, how: Publishing) -> Any:
    """Push, commit and tag, or say that nothing changed."""
    workspace = Workspace.find()
    return _or_failed(lambda log: recording.record(workspace, own_dataset(workspace), name, log, how, flow_run.id))


@task(task_run_name="refresh")
def refresh() -> Any:
    """Bring the clone that scheduled builds work in up to date: code, parameters, raw data."""
    return _or_failed(lambda log: apart.refresh(Workspace.find(), log))


@flow(name="build", flow_run_name="build", persist_result=False)
def build(
    name: str | None = None,
    settings: dict[str, Any] | None = None,
    push: bool = True,
    verify_remote: bool = False,
    allow_label_change: bool = False,
    wait: bool = True,
) -> Any:
    """Build a dataset version in the workspace, from the raw data and params.yaml, and record it under a name.

    Args:
        name: what the version is called; the UTC time if empty.
        settings: params.yaml's values to change, for example {"augment.enabled": true}; kept if the build succeeds.
        push: publish the version, where a DVC remote is configured.
        verify_remote: read every pushed object back.
        allow_label_change: record a label map that breaks readers of the version before.
        wait: for a build that is at work in this workspace; else fail.
    """
    try:
        outcome = _build(name, settings or {}, Publishing(push, verify_remote, allow_label_change), wait)
    except ShardsmithError as error:
        return Failed(message=str(error))
    return Completed(message=outcome.message, data=outcome)


@flow(name="build", persist_result=False)
def build_apart(
    name: str = "",
    split: form.Split | None = None,
    preprocess: form.Preprocess | None = None,  # type: ignore[valid-type]
    augment: form.Augment | None = None,  # type: ignore[valid-type]
    formats: list[form.Format] = [],  # noqa: B006
    other_settings: dict[str, Any] = {},  # noqa: B006
    verify_remote: bool = False,
    allow_label_change: bool = False,
) -> Any:
    """Build a dataset version in a clone of its own, from the newest raw data, and record it under a name.

    Args:
        name: What the version is called; the UTC time if empty.
        split: Which image goes to train, valid or test. Off: as params.yaml says.
        preprocess: Steps for every image. Off: as params.yaml says.
        augment: Random copies of the train images. Off: as params.yaml says.
        formats: What the version is written in. Empty: as params.yaml says.
        other_settings: Any other value of params.yaml, for example {"export.shard_size_mb": 100}.
        verify_remote: Read every pushed object back and compare its hash.
        allow_label_change: Record a label map that breaks readers of the last version.
    """
    prepare_environment(Workspace.find().root)
    settings = form.as_settings(split, preprocess, augment, formats) | other_settings
    try:
        clone: Workspace = _result(refresh(return_state=True))
        os.chdir(clone.root)
        outcome = _build(name or None, settings, Publishing(True, verify_remote, allow_label_change), wait=True)
        apart.hand_over(clone, outcome.tag)
    except ShardsmithError as error:
        artifacts.publish_failure(error, list(_lines))
        return Failed(message=str(error))
    return Completed(message=outcome.message, data=outcome)


def _build(name: str | None, settings: dict[str, Any], how: Publishing, wait: bool) -> recording.Outcome:
    """
    Raises:
        ShardsmithError: it failed.
    """
    workspace = Workspace.find()
    prepare_environment(workspace.root)
    with workspace.lock(_log, wait), applied(workspace, settings):
        dataset = recording.prepare(workspace, name, _log)
        before = recording.last_tag(workspace, dataset)
        if not recording.is_current(workspace, dataset):
            for stage, lines in workspace.repro():
                if stage:
                    _result(run_stage(stage, lines, return_state=True))
                else:
                    _say(lines, _log)
            _result(read_back(return_state=True))
        outcome: recording.Outcome = _result(record_version(name, how, return_state=True))
    artifacts.publish_version(workspace, outcome, before)
    return outcome


def run(name: str | None, settings: dict[str, Any], how: Publishing, wait: bool) -> recording.Outcome:
    """Run the flow here and now, and say on the terminal what its log says.

    Raises:
        VersionError: it failed.
    """
    _echo.append(lambda message: print(message, file=sys.stderr))
    state: State = build(name, settings, **asdict(how), wait=wait, return_state=True)  # type: ignore[assignment]
    if not state.is_completed():
        raise VersionError(state.message or f"the build ended as {state.name}")
    return state.result()


def _log(message: str) -> None:
    _lines.append(message)
    for say in (get_run_logger().info, *_echo):
        say(message)


def _say(lines: Iterator[str], log: Log) -> None:
    for line in lines:
        log(line)


def _or_failed(work: Callable[[Log], Any]) -> Any:
    """What `work` returns, or a failed state with its message: Prefect would log a raised error with a traceback."""
    try:
        return work(_log)
    except ShardsmithError as error:
        return Failed(message=str(error))


def _result(state: State) -> Any:
    """
    Raises:
        StageError: the task failed.
    """
    if state.is_completed():
        return state.result()
    raise StageError(state.message or f"the task ended as {state.name}")


def _read_back(log: Log) -> None:
    workspace = Workspace.find()
    folder = workspace.root / EXPORT / "tfrecord"
    if not folder.is_dir():
        log("read back: no TFRecord in this version, so there is nothing for TensorFlow to read")
        return
    command = [sys.executable, "-m", "flows.readback", str(folder), METRICS]
    done = subprocess.run(command, cwd=workspace.root, stdout=subprocess.PIPE, text=True, check=False)
    log(done.stdout.strip())
    if done.returncode:
        raise StageError("TensorFlow does not read back what was written; no version was recorded")
