"""Prefect, where a server is to know of a build; where there is none, the same flow and steps as plain calls.

A task that fails ends in a failed state with one clear message: an exception would be logged with a traceback.
"""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from shardsmith.dataset.errors import ShardsmithError, StageError
from shardsmith.dataset.workers import print_above

_KNOWN = (sys.stdlib_module_names | {"shardsmith"}) - {"importlib", "pkgutil", "runpy"}
_NAMES = {"name", "flow_run_name", "persist_result"}  # options of a flow that decide nothing of what it does
_plain: ContextVar[bool] = ContextVar("plain", default=False)


def flow(*function: Callable[..., Any], **options: Any) -> Any:
    """Prefect's decorator `flow`; inside `without_prefect` one that leaves the function as it is."""
    if _plain.get():
        return lambda function: function
    import prefect

    return prefect.flow(*function, **options)


@contextmanager
def without_prefect() -> Iterator[None]:
    """What is imported inside makes no flows of Prefect's, and does not import it."""
    token = _plain.set(True)
    try:
        yield
    finally:
        _plain.reset(token)


def needs_prefect(file: Path) -> bool:
    """Whether a flow's program may use more of Prefect than the decorator `flow` with a name: hooks, tasks, a logger.

    One that imports nothing but the standard library and Shardsmith, and whose flows nothing else uses, cannot.
    """
    try:
        nodes = [*ast.walk(ast.parse(file.read_bytes()))]
    except SyntaxError:
        return True  # which Prefect says
    flows, decorators = set(), 0
    for node in nodes:
        if isinstance(node, ast.FunctionDef) and any(_only_names(decorator) for decorator in node.decorator_list):
            flows.add(node.name)
            decorators += sum(map(_only_names, node.decorator_list))
    used = [node.id for node in nodes if isinstance(node, ast.Name)]
    by_attribute = any(isinstance(node, ast.Attribute) and node.attr == "flow" for node in nodes)
    return (
        not all(map(_is_known, nodes)) or by_attribute or used.count("flow") != decorators or not flows.isdisjoint(used)
    )


def _only_names(decorator: ast.expr) -> bool:
    """Whether it is `flow(...)`, with options that tell a run what it is called alone."""
    if not (isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name) and decorator.func.id == "flow"):
        return False
    return not decorator.args and {keyword.arg for keyword in decorator.keywords} <= _NAMES


def _is_known(node: ast.AST) -> bool:
    """False for an import that may bring more of Prefect than `flow`."""
    if isinstance(node, ast.Import):
        return all(alias.name.partition(".")[0] in _KNOWN for alias in node.names)
    if not isinstance(node, ast.ImportFrom):
        return True
    names = [alias.asname or alias.name for alias in node.names]
    if node.module == "prefect" or any("flow" in (alias.name, alias.asname) for alias in node.names):
        return names == ["flow"] and node.module in ("prefect", __name__)
    return not node.level and "*" not in names and str(node.module).partition(".")[0] in _KNOWN


def in_run() -> bool:
    """Whether this is a part of a run that a server of Prefect's knows of."""
    context = sys.modules.get("prefect.context")
    return bool(context and (context.FlowRunContext.get() or context.TaskRunContext.get()))


def run_id() -> str | None:
    """Of the flow run; None outside of one."""
    if not in_run():
        return None
    from prefect.runtime import flow_run

    return flow_run.id


def say(message: str) -> None:
    """To Prefect's page, and to the terminal where the build was started there."""
    if not in_run():
        print_above(message)
        return
    from prefect import get_run_logger

    get_run_logger().info(message)


def as_flow(
    function: Callable[..., Any], on_failure: Callable[[ShardsmithError], None], on_success: Callable[[Any], None]
) -> Callable[..., Any]:
    """The function, whose error of ours is a failed state that says what to do, and whose version is the result.

    Args:
        on_failure, on_success: what is done first, in a run; of the version, once its flow has ended.
    """

    @functools.wraps(function)
    def run(*arguments: Any, **named: Any) -> Any:
        if not in_run():
            return function(*arguments, **named)
        from prefect.states import Completed, Failed

        try:
            outcome = function(*arguments, **named)
        except ShardsmithError as error:
            on_failure(error)
            return Failed(message=str(error))
        on_success(outcome)
        return Completed(message=outcome.message, data=outcome)

    return run


def as_task(name: str, work: Callable[[], Any]) -> Any:
    """
    Raises:
        StageError: it failed.
    """
    if not in_run():
        try:
            return work()
        except ShardsmithError as error:
            raise StageError(str(error)) from error
    from prefect import task
    from prefect.cache_policies import NO_CACHE
    from prefect.states import Failed, State

    @task(name=name, task_run_name=name, cache_policy=NO_CACHE, persist_result=False)
    def step() -> Any:
        try:
            return work()
        except ShardsmithError as error:
            return Failed(message=str(error))

    state: State = step(return_state=True)
    if state.is_completed():
        return state.result()
    raise StageError(state.message or f"the task ended as {state.name}")
