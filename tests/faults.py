"""What goes wrong outside: an S3-protocol server behind a proxy that fails as told, and objects that come out wrong."""

from __future__ import annotations

import hashlib
import http.client
import logging
import os
import signal
import socket
import struct
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any

KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}
BUCKET = "bucket"
_INTERNAL = b"<?xml version='1.0'?><Error><Code>InternalError</Code><Message>try again</Message></Error>"
# (method, path, how often it was asked for before) -> one of FAULTS, or "" to pass the request on
Rule = Callable[[str, str, int], str]
FAULTS = ("500", "reset", "cut", "stall")


def no_fault(method: str, path: str, before: int) -> str:
    return ""


def one_in(share: int, seed: int, faults: tuple[str, ...] = FAULTS) -> Rule:
    """One request in `share` fails; which ones, and how, depends on what is asked and not on when."""

    def rule(method: str, path: str, before: int) -> str:
        draw = int.from_bytes(hashlib.sha256(f"{seed} {method} {path} {before}".encode()).digest()[:8])
        return faults[draw // share % len(faults)] if draw % share == 0 else ""

    return rule


@dataclass
class Proxy:
    """A proxy before an HTTP server; `rule` may be changed at any time, `met` counts what happened."""

    target: tuple[str, int]
    rule: Rule = no_fault
    stall_s: float = 60
    met: Counter[str] = field(default_factory=Counter)
    _asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    _lock: Any = field(default_factory=Lock)

    def fault(self, method: str, path: str) -> str:
        with self._lock:
            before = self._asked[method, path]
            self._asked[method, path] += 1
            fault = self.rule(method, path, before)
            self.met[fault or "passed on"] += 1
        return fault

    @contextmanager
    def serve(self) -> Iterator[str]:
        """The proxy's address, while it runs."""
        handler = type("Handler", (_Handler,), {"proxy": self})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        server.block_on_close = False  # a stalled request must not stop the end
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy
    protocol_version = "HTTP/1.1"

    def _pass_on(self) -> None:
        body = self._body()
        fault = self.proxy.fault(self.command, self.path)
        if fault == "stall":
            time.sleep(self.proxy.stall_s)
        if fault in ("stall", "reset"):
            return self._reset()
        if fault == "500":
            return self._answer(500, [("Content-Type", "application/xml")], _INTERNAL, len(_INTERNAL))
        connection = http.client.HTTPConnection(*self.proxy.target, timeout=60)
        skipped = ("transfer-encoding", "expect", "connection", "content-length")
        headers = {key: value for key, value in self.headers.items() if key.lower() not in skipped}
        connection.request(self.command, self.path, body, headers | {"Content-Length": str(len(body))})
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        kept = [(key, value) for key, value in answer.getheaders() if key.lower() not in skipped]
        length = int(answer.getheader("Content-Length") or len(data))
        self._answer(answer.status, kept, data[: len(data) // 2] if fault == "cut" else data, length)
        if fault == "cut":
            self._reset()

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _pass_on  # noqa: N815

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _answer(self, status: int, headers: list[tuple[str, str]], data: bytes, length: int) -> None:
        self.send_response_only(status)
        for key, value in [*headers, ("Content-Length", str(length))]:
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
            self.wfile.flush()

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def s3_server() -> Iterator[tuple[str, int]]:
    """An S3-protocol server with an empty bucket, in this process."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        boto3.client(
            "s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1",
            aws_access_key_id="a", aws_secret_access_key="b",
        ).create_bucket(Bucket=BUCKET)  # fmt: skip
        yield host, port
    finally:
        server.stop()


def bucket() -> dict[str, Any]:
    """Key -> object of the bucket, as the server holds them: their bytes can be read and changed behind its back."""
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.s3.models import s3_backends

    return s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[BUCKET].keys


@contextmanager
def git_server(folder: Path) -> Iterator[str]:
    """A git server for the bare repositories below a folder: unlike one at a path, it outlives who pushes to it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--reuseaddr", "--export-all", "--enable=receive-pack", "--listen=127.0.0.1"]
    server = subprocess.Popen(
        ["git", "daemon", *options, f"--port={port}", f"--base-path={folder}", str(folder)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        for _ in range(100):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        yield f"git://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
