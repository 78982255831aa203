"""The Prefect flow: run the pipeline of dvc.yaml, a task a stage, let TensorFlow read it back, record the version."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.runtime import flow_run
from prefect.states import Completed, Failed, State

from flows import recording, report
from flows.environment import prepare_environment
from flows.publish import Publishing
from flows.repository import Log, Workspace
from flows.settings import applied
from flows.versions import EXPORT, METRICS, own_dataset
from stages.dataset.errors import ShardsmithError, StageError, VersionError

_echo: list[Log] = []


@task(task_run_name="{stage}")
def run_stage(stage: str) -> Any:
    """`dvc repro STAGE`: DVC decides whether there is anything to do."""
    return _or_failed(lambda log: Workspace.find().dvc("repro", stage, log=log))


@task(task_run_name="read back")
def read_back() -> Any:
    """TensorFlow reads every record, in a process of its own."""
    return _or_failed(_read_back)


@task(task_run_name="record")
def record_version(name: str | None, how: Publishing) -> Any:
    """Push, commit and tag, or say that nothing changed."""
    workspace = Workspace.find()
    return _or_failed(lambda log: recording.record(workspace, own_dataset(workspace), name, log, how, flow_run.id))


@flow(name="build", flow_run_name="build", persist_result=False)
def build(
    name: str | None = None,
    settings: dict[str, Any] | None = None,
    push: bool = True,
    verify_remote: bool = False,
    allow_label_change: bool = False,
    wait: bool = True,
) -> Any:
    """Build a dataset version from the raw data and params.yaml, and record it under a name.

    Args:
        name: what the version is called; the UTC time if empty.
        settings: params.yaml's values to change, for example {"augment.enabled": true}; kept if the build succeeds.
        push: publish the version, where a DVC remote is configured.
        verify_remote: read every pushed object back.
        allow_label_change: record a label map that breaks readers of the version before.
        wait: for a build that is at work in this workspace; else fail.
    """
    how = Publishing(push, verify_remote, allow_label_change)
    workspace = Workspace.find()
    prepare_environment(workspace.root)
    try:
        with workspace.lock(_log, wait), applied(workspace, settings or {}):
            recording.prepare(workspace, name, _log)
            for stage in workspace.stages():
                _result(run_stage(stage, return_state=True))
            _result(read_back(return_state=True))
            outcome: recording.Outcome = _result(record_version(name, how, return_state=True))
    except ShardsmithError as error:
        return Failed(message=str(error))
    _publish(workspace, outcome)
    return Completed(message=outcome.message, data=outcome)


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
    for say in (get_run_logger().info, *_echo):
        say(message)


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


def _publish(workspace: Workspace, outcome: recording.Outcome) -> None:
    """The version on Prefect's page: a summary, and a table of counts."""
    metrics = json.loads((workspace.root / METRICS).read_text(encoding="utf-8"))
    text = report.markdown(metrics, outcome.tag, EXPORT)
    create_markdown_artifact(key="version", markdown=f"{outcome.message}\n\n{text}", description=outcome.message)
    header, *rows = report.count_rows(metrics)
    header[0] = "count"
    table = [dict(zip(header, (cell.strip() for cell in row), strict=True)) for row in rows]
    create_table_artifact(key="counts", table=table, description=f"Images and boxes per split of {outcome.tag}")
