"""Prefect's server as Shardsmith starts it: it answers only who knows this user's secret.

Prefect's API can make and run any command, so that to be on this machine, or a page in its browser, must not be enough
to use it. One home a user and machine (`state_home`) holds its database, `secret`, and `server.json`: where it is.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import http.client
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shardsmith.dataset.errors import VersionError
from shardsmith.workspace.environment import kept_secret, state_home

HOST = "127.0.0.1"
_HOSTS = (HOST, "localhost")
_PATIENCE_S = 30  # with a server that has much to do
_SETTING = re.compile(r"(?im)^[^#\n]*(prefect_|tool\W+prefect)|^\s*\[\s*tool\s*\]")  # in .env, in pyproject.toml
_SECRET, _RUNNING = "secret", "server.json"


def app() -> Any:
    """For `uvicorn --factory`: Prefect's app, which refuses any name but this machine's own.

    Else a page of a stranger's server could give its name to this one (DNS rebinding).
    """
    from prefect.server.api.server import create_app
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    made = create_app(final=True)
    made.add_middleware(TrustedHostMiddleware, allowed_hosts=list(_HOSTS))
    return made


def api(port: int) -> str:
    return f"http://{HOST}:{port}/api"


def secret_path() -> Path:
    return state_home() / _SECRET


def secret() -> str:
    """This user's, `admin:...`: made once, for nobody else to read.

    Raises:
        OSError: the home cannot be written, or is another user's.
    """
    return kept_secret(_SECRET, "admin:")


def server_settings(port: int = 0) -> dict[str, str]:
    """What this user's server, its clients and workers need in their environment.

    Args:
        port: 0 for a temporary server, which has no page.
    """
    own = {
        "PREFECT_API_AUTH_STRING": secret(),
        "PREFECT_SERVER_API_AUTH_STRING": secret(),
        "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": ",".join(f"http://{host}:{port}" for host in _HOSTS),
        # with the default, a server that starts anew believes that a build from before still has its place
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    }
    return own | ({"PREFECT_UI_API_URL": api(port)} if port else {})  # the page calls the API from the browser


def running_port() -> int | None:
    """That of the server which a `shardsmith serve` of this user keeps; None where none answers."""
    try:
        said = json.loads((state_home() / _RUNNING).read_text(encoding="utf-8"))
        os.kill(said["pid"], 0)  # of our own alone: nobody else's process is told the secret
        return said["port"] if answers(said["port"]) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_running(port: int, pid: int) -> None:
    (state_home() / _RUNNING).write_text(json.dumps({"port": port, "pid": pid}), encoding="utf-8")


def answers(port: int) -> bool:
    """Whether a server answers there that takes this user's secret."""
    connection = http.client.HTTPConnection(HOST, port, timeout=_PATIENCE_S)
    token = base64.b64encode(secret().encode()).decode()
    try:
        connection.request("GET", "/api/admin/version", headers={"Authorization": f"Basic {token}"})
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@contextlib.contextmanager
def alone(name: str, refusal: str = "") -> Iterator[None]:
    """No other process of this user does what is called so.

    Args:
        refusal: what is said where one does; "" to wait for its end.

    Raises:
        VersionError: one does.
    """
    secret()
    with (state_home() / f"{name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (fcntl.LOCK_NB if refusal else 0))
        except BlockingIOError:
            raise VersionError(refusal) from None
        yield


def is_there(root: Path) -> bool:
    """Whether a server is to know of a build: one that Prefect's settings name, or that of `shardsmith serve`.

    Prefect, which takes 2 s to import, is asked only where somebody has set something.

    Args:
        root: the folder whose settings count.
    """
    if _names_a_server(root):
        from prefect.context import refresh_global_settings_context
        from prefect.settings import get_current_settings

        refresh_global_settings_context()  # Prefect may have been imported before its variables were set
        if get_current_settings().api.url:
            return True
    return running_port() is not None


def _names_a_server(root: Path) -> bool:
    """Whether Prefect's settings may name one: False where none of the places is used that it reads them from."""
    variables = {name.upper() for name in os.environ} & {"PREFECT_API_URL", "PREFECT_PROFILE", "PREFECT_PROFILES_PATH"}
    profiles, own = Path(os.environ.get("PREFECT_HOME", state_home())) / "profiles.toml", root / "prefect.toml"
    if variables or profiles.exists() or own.exists():
        return True
    files = [root / name for name in (".env", "pyproject.toml")]
    return any(_SETTING.search(file.read_text("utf-8", "replace")) for file in files if file.is_file())


def connect() -> None:
    """Choose the server that this process's flows are recorded on: the one that Prefect's settings name, else that of a
    running `shardsmith serve`, else a temporary one.

    Raises:
        VersionError: it does not answer, or refuses.
    """
    import httpx
    from prefect.client.orchestration import get_client
    from prefect.context import refresh_global_settings_context
    from prefect.settings import get_current_settings

    refresh_global_settings_context()  # Prefect may have been imported before its variables were set
    named = get_current_settings().api.url
    if not named:
        port = running_port()
        own = {"PREFECT_API_URL": api(port)} if port else {"PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true"}
        os.environ |= server_settings(port or 0) | own
        refresh_global_settings_context()
    try:
        # one process at a time starts a server, and the first of all makes the database
        with contextlib.nullcontext() if named else alone("server"), get_client(sync_client=True) as client:
            client.request("GET", "/admin/version")
    except (httpx.HTTPError, RuntimeError) as error:
        raise VersionError(explain(error, named)) from None


def explain(error: Exception, named: str | None) -> str:
    """What is wrong with a server, in one line that says which setting to change.

    Args:
        named: the address that Prefect's settings name; None for a server of ours.
    """
    import httpx

    if not named:
        return f"Prefect's own server: {' '.join(str(error).split())[:300]}; its database is in {state_home()}"
    status = error.response.status_code if isinstance(error, httpx.HTTPStatusError) else None
    if status in (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN):
        return (
            f"PREFECT_API_URL={named}: refuses us: PREFECT_API_AUTH_STRING (or PREFECT_API_KEY) is wrong or missing; "
            f'for the server of `shardsmith serve`: export PREFECT_API_AUTH_STRING="$(cat {secret_path()})"'
        )
    said = f"status {status}" if status else str(error) or type(error).__name__
    return (
        f"PREFECT_API_URL={named}: no Prefect server answers there ({said}); start it, or `unset PREFECT_API_URL` to "
        "build without it"
    )
