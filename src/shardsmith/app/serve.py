"""`shardsmith serve`: the page at one address, and behind it, for each open dataset, Prefect's server and worker."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
import webbrowser
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from shardsmith.app.access import LOOPBACK, check_host, password
from shardsmith.app.opened import Opened, open_folders
from shardsmith.app.server import create_app
from shardsmith.dataset.errors import UsageError
from shardsmith.installation import need
from shardsmith.workspace.environment import kept_secret

_PORT, _PORTS = 4300, 100
_LOOK_S, _STOP_S = 0.5, 25


def serve(here: Path, folders: Sequence[Path], host: str, port: int | None, engine: Sequence[str]) -> int:
    """Run until Ctrl-C; returns the exit code.

    Args:
        here: the folder where new workspaces are made. folders: workspaces to open.
        host: where the page listens.
        port: None for 4300, or the next one that is free.
        engine: options of `shardsmith serve` for Prefect's part.

    Raises:
        ShardsmithError: a folder is no workspace, the port is taken, or others could reach the page without a password.
    """
    need("fastapi", "uvicorn")
    import uvicorn

    check_host(host, password())
    opened = open_folders(here, list(folders))
    listening = _listen(host, port)
    port = listening.getsockname()[1]
    token = password() or kept_secret("page-token")
    address = f"http://{host if host in LOOPBACK else socket.gethostname()}:{port}/"
    config = uvicorn.Config(create_app(opened, token, host, port), log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    engines = Engines(opened, engine)
    with engines.kept(lambda: setattr(server, "should_exit", True)):
        print(f"Page: {address}" + ("" if password() else f"?token={token}"), flush=True)
        if host not in LOOPBACK:
            print("Without TLS whoever listens on the way can read it; put a proxy with TLS before it", file=sys.stderr)
        if sys.stdout.isatty():
            webbrowser.open(f"{address}?token={token}")
        server.run(sockets=[listening])
    return engines.code


def _listen(host: str, port: int | None) -> socket.socket:
    """
    Raises:
        UsageError: the port is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for one in [port] if port else range(_PORT, _PORT + _PORTS):
        listening = socket.socket(family)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, one))
            listening.listen(128)
            return listening
        except OSError:
            listening.close()
    raise UsageError(f"--page-port {port or _PORT}: cannot listen there; choose another port")


class Engines:
    """`shardsmith serve --no-page` of each open dataset: schedules, and the history of runs.

    code: the exit code of the first that ended with an error; 0 for none. Builds of the page do without.
    """

    def __init__(self, opened: Opened, options: Sequence[str]) -> None:
        self._opened, self._options = opened, options
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._over = threading.Event()
        self.code = 0

    @contextlib.contextmanager
    def kept(self, stop: object) -> Iterator[None]:
        """Each runs while the block does; `stop` is called where one ends with an error."""
        thread = threading.Thread(target=self._keep, args=(stop,), daemon=True)
        if find_spec("prefect"):
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for process in self._running.values():
                process.terminate()
            for process in self._running.values():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_STOP_S)
                process.kill()

    def _keep(self, stop: object) -> None:
        while not self._over.is_set():
            for dataset in list(self._opened.datasets.values()):
                if dataset.key not in self._running:
                    command = [sys.executable, "-P", "-m", "shardsmith.cli.main", "serve", "--no-page", *self._options]
                    self._running[dataset.key] = subprocess.Popen(command, cwd=dataset.root)
            if codes := [code for process in self._running.values() if (code := process.poll())]:
                self.code = codes[0]
                assert callable(stop)
                stop()
                return
            self._over.wait(_LOOK_S)
