"""Run a workspace's own flow here and now, in a process that stands in the workspace.

    python -m shardsmith.flow.build PARAMETERS RESULT

PARAMETERS is JSON; RESULT is a file, which gets the outcome as JSON. What the flow logs goes to stderr.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from shardsmith.dataset.errors import ShardsmithError, VersionError
from shardsmith.dataset.errors import run as run_command
from shardsmith.dataset.workers import print_above
from shardsmith.flow.engine import needs_prefect, without_prefect
from shardsmith.flow.server import connect, explain, is_there, secret
from shardsmith.installation import need
from shardsmith.versions.publish import Publishing
from shardsmith.versions.record import Outcome, record_if_current
from shardsmith.workspace.environment import prepare_environment
from shardsmith.workspace.log import Log, to_stderr
from shardsmith.workspace.paths import FLOW
from shardsmith.workspace.settings import with_settings
from shardsmith.workspace.workspace import Workspace


def build(
    workspace: Workspace,
    name: str | None = None,
    settings: Mapping[str, Any] | None = None,
    how: Publishing = Publishing(),  # noqa: B008
    wait: bool = True,
    log: Log = to_stderr,
) -> Outcome:
    """Build a version by the workspace's own flow; without Prefect where no server runs or nothing is to be computed.

    Args:
        name: what it is called; the UTC time by default.
        settings: params.yaml's values to change, {"augment.copies": 3}; they stay if the build succeeds.
        wait: for a build that is at work in this workspace; else fail.
        log: of what is said before the flow starts; the flow's own lines go to stderr.

    Raises:
        ShardsmithError: it failed.
    """
    need("dvc", "prefect")
    prepare_environment()
    with_settings(
        workspace.params_text(), settings or {}, workspace.root
    )  # a misspelt key is said before Prefect starts
    done = None if settings else record_if_current(workspace, name, log, how, wait)
    if done:
        return done
    usual = asdict(Publishing())  # is not passed on: a workspace's flow from before an option runs as it did
    chosen = {option: value for option, value in asdict(how).items() if value != usual[option]}
    parameters = {"name": name, "settings": dict(settings or {}), **chosen, "wait": wait}
    with tempfile.TemporaryDirectory(prefix="shardsmith-") as folder:
        result = Path(folder) / "result.json"
        command = [sys.executable, "-m", "shardsmith.flow.build", json.dumps(parameters), str(result)]
        process = subprocess.Popen(command, cwd=workspace.root)
        try:
            code = process.wait()
        except KeyboardInterrupt:
            process.wait()  # it has got the signal too, and puts things back
            raise
        said = json.loads(result.read_text(encoding="utf-8")) if result.exists() else {}
    if code or "tag" not in said:
        raise VersionError(said.get("error") or f"the build ended with exit code {code}")
    return Outcome(**said)


def build_version(
    name: str | None = None,
    settings: Mapping[str, Any] | None = None,
    *,
    workspace: str | Path | None = None,
    push: bool = True,
    verify_remote: bool = False,
    allow_label_change: bool = False,
    check_all: bool = False,
    wait: bool = True,
) -> Outcome:
    """Build a version from a workspace's data/raw and params.yaml, and record it.

    Args:
        name: what it is called; the UTC time by default.
        settings: params.yaml's values to change, {"augment.copies": 3}; they stay if the build succeeds.
        workspace: the workspace's folder; the one here by default.
        push: publish the version, where a DVC remote is configured.
        verify_remote: read every pushed object back and hash it.
        allow_label_change: record a label map that breaks readers of the version before.
        check_all: hash all stored data, not what is new alone.
        wait: for a build that is at work in this workspace; else fail.

    Returns:
        `outcome.tag` is the version, `outcome.made` whether it is new.

    Raises:
        ShardsmithError: it failed.
    """
    place = Workspace.find(Path(workspace) if workspace else None)
    return build(place, name, settings, Publishing(push, verify_remote, allow_label_change, check_all), wait)


def main() -> None:
    parameters, result = json.loads(sys.argv[1]), Path(sys.argv[2])
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")  # our own lines are enough
    with contextlib.suppress(OSError):
        secret()  # and with it Prefect's home, of which Prefect warns else; where it cannot be made, `connect` says so
    try:
        said = _run(parameters)
    except ShardsmithError as error:
        said = {"error": str(error)}
    result.write_text(json.dumps(said), encoding="utf-8")


def _run(parameters: dict[str, Any]) -> dict[str, Any]:
    """
    Raises:
        ShardsmithError: the build failed; or Prefect's server cannot be had.
    """
    if not is_there(Path()) and not needs_prefect(Path(FLOW)):
        return asdict(_without_prefect(parameters))
    import httpx
    from prefect.flows import load_flow_from_entrypoint

    connect()
    flow: Any = load_flow_from_entrypoint(f"{FLOW}:build")
    _log_to_stderr()
    try:
        state: Any = flow(**parameters, return_state=True)
    except httpx.HTTPError as error:
        raise VersionError(explain(error, os.environ.get("PREFECT_API_URL"))) from None
    return asdict(state.result()) if state.is_completed() else {"error": state.message or f"it ended as {state.name}"}


def _without_prefect(parameters: dict[str, Any]) -> Outcome:
    """
    Raises:
        ShardsmithError: the build failed.
    """
    with without_prefect():
        flow = runpy.run_path(FLOW)["build"]
    try:
        outcome: Outcome = getattr(flow, "fn", flow)(**parameters)  # a workspace of before has a flow of Prefect's
    except ShardsmithError:
        raise
    except Exception as error:  # of a line that somebody added
        raise VersionError(f"{FLOW}: {type(error).__name__}: {error}") from error
    return outcome


def _log_to_stderr() -> None:
    """What flow and tasks log, without what Prefect itself says of each."""
    import prefect

    inside = str(Path(prefect.__file__).parent)
    handler = logging.StreamHandler()
    handler.emit = lambda record: print_above(handler.format(record))  # type: ignore[method-assign]
    handler.addFilter(lambda record: not record.pathname.startswith(inside))
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).addHandler(handler)


if __name__ == "__main__":
    run_command(main)
