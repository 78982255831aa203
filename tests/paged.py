"""The page, served in this process for the tests: by its address, by its JSON, and in a browser."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
import uvicorn
from browser import CHROMIUM, Page, open_browser
from conftest import ROOT

from shardsmith.app.opened import Dataset, open_folders
from shardsmith.app.raw import raw_taken
from shardsmith.app.server import create_app
from shardsmith.app.taken import take

TOKEN = "a-token-for-tests"


MISSING = pytest.mark.skipif(
    CHROMIUM is None and "CI" not in os.environ, reason="no Chromium here (apt-get install chromium)"
)


def needs_browser(test: Any) -> Any:
    """A test in Chromium; where CI is set, one that is missing is a failure."""
    for mark in (pytest.mark.slow, pytest.mark.xdist_group("browser"), MISSING):
        test = mark(test)
    return test


@dataclass(frozen=True)
class Served:
    """address: without a slash at its end."""

    address: str

    def json(self, path: str, content: Any = None) -> Any:
        """What the page answers a script: POST where there is content."""
        headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
        data = None if content is None else json.dumps(content).encode()
        with urlopen(Request(f"{self.address}{path}", data, headers)) as answer:
            return json.load(answer)

    @contextmanager
    def browser(self, home: Path) -> Iterator[Page]:
        """A tab that has been let in."""
        with open_browser(home) as page:
            page.open(f"{self.address}/?token={TOKEN}")
            yield page


def looked_at(root: Path, fill: Callable[[Path], object]) -> Dataset:
    """A dataset whose data/raw `fill` has filled, and the page has looked at; without DVC."""
    (root / "data/raw").mkdir(parents=True)
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy2(ROOT / name, root / name)
    subprocess.run(["git", "init", "-q", root], check=True)
    fill(root / "data/raw")
    (dataset,) = open_folders(root.parent, [root]).datasets.values()
    look_again(dataset)
    return dataset


def look_again(dataset: Dataset) -> None:
    take(dataset.root / "data/raw", raw_taken(dataset).folder, dataset.workspace)


@contextmanager
def serve_page(*roots: Path, folder: Path | None = None) -> Iterator[Served]:
    """The page with these workspaces, or without any in a folder where new ones go."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        app = create_app(open_folders(folder or roots[0].parent, list(roots)), TOKEN, "127.0.0.1", port)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield Served(f"http://127.0.0.1:{port}")
        finally:
            server.should_exit = True
            thread.join(20)


def serious(page: Page) -> list[str]:
    """What axe-core finds on the screen of serious and critical faults: the rule, and where."""
    page.run(files("axe_playwright_python").joinpath("axe.min.js").read_text() + "; 0")
    found = page.run("axe.run(document, {resultTypes: ['violations']}).then(found => found.violations)")
    return [
        f"{one['id']}: {node['target']} {node['html'][:200]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]
