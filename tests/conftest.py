"""Factories and real data for the tests."""

from __future__ import annotations

import http.client
import io
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image as PilImage
from tallies import attack, pytest_terminal_summary  # noqa: F401 (pytest looks for them here)

from shardsmith.dataset.images import probe
from shardsmith.dataset.manifest import Annotation, Image, Manifest
from shardsmith.pipeline.ingest import give_keys

if TYPE_CHECKING:
    from served import Served
    from workspaces import Place

ROOT = Path(__file__).parents[1]
CODE = os.pathsep.join([str(ROOT / "src"), str(ROOT)])  # PYTHONPATH of what tests start: the package here, its stages
RACCOON = Path(__file__).parents[2] / "shared" / "datasets" / "raccoon"


_OF_WORKSPACES = {"Place", "Workspace", "make_workspace", "start_stage"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of a module that knows workspaces start git, DVC or Prefect."""
    for item in items:
        if isinstance(item, pytest.Function) and _OF_WORKSPACES & vars(item.module).keys():
            item.add_marker("workspace")


@pytest.fixture
def raccoon() -> Path:
    """The raccoon set: JPEGImages/, Annotations/ and as/; see its README."""
    if not RACCOON.is_dir():
        pytest.skip("the raccoon set is not there: ../shared/datasets/raccoon")
    return RACCOON


def image_bytes(width: int = 32, height: int = 24, seed: int = 0, format: str = "JPEG", **save: object) -> bytes:
    """A small picture of its own for each seed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    stream = io.BytesIO()
    PilImage.fromarray(pixels).save(stream, format, **save)
    return stream.getvalue()


def make_image(folder: Path, image_id: str = "a.jpg", data: bytes | None = None, **columns: object) -> Image:
    """An image file below `folder` and its row."""
    data = image_bytes(seed=len(image_id)) if data is None else data
    path = folder / image_id
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    info = probe(data)
    row = {"width": info.width, "height": info.height, "format": info.format, "orientation": info.orientation}
    return Image(image_id=image_id, path=str(path), sha256=info.sha256, **(row | columns))  # type: ignore[arg-type]


def box(image_id: str = "a.jpg", label: str = "cat", *corners: float, **columns: object) -> Annotation:
    """An annotation row; corners are xmin ymin xmax ymax."""
    return Annotation(image_id, label, *(corners or (2.0, 3.0, 12.0, 13.0)), **columns)  # type: ignore[arg-type]


def make_manifest(*rows: Image | Annotation) -> Manifest:
    """With the keys that ingest gives annotations."""
    give_keys(row for row in rows if isinstance(row, Annotation) and row.source_key is None)
    return Manifest.of(
        [row for row in rows if isinstance(row, Image)], [row for row in rows if isinstance(row, Annotation)]
    )


@pytest.fixture(scope="session")
def prefect_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One Prefect server for the run."""
    home = tmp_path_factory.mktemp("prefect")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    from workspaces import make_workspace

    env = make_workspace(tmp_path_factory.mktemp("unused"), home).env | {"PREFECT_HOME": str(home), "DO_NOT_TRACK": "1"}
    env["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(300):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", "/api/health")
            if connection.getresponse().status == 200:
                break
        except OSError:
            time.sleep(0.3)
    yield f"http://127.0.0.1:{port}/api"
    server.terminate()
    server.wait(20)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, prefect_api: str) -> Place:
    """A workspace with one version, `sample@one`, and a DVC remote beside it. Not to be changed: take `place`."""
    from workspaces import make_workspace

    folder = tmp_path_factory.mktemp("built")
    place = make_workspace(folder / "work space", folder / "home", prefect_api)
    place.add_store(folder / "store")
    place.commit("remote")
    place.write("README.md", place.read("README.md") + "\nunstaged\n")
    place.write("notes.txt", "untracked")
    place.write("staged.txt", "staged")
    place.git("add", "staged.txt")
    place.run("shardsmith", "build", "--name", "one")  # as a user: no fork
    return place


@pytest.fixture(scope="session")
def one_served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    from served import Served
    from workspaces import make_workspace

    folder = tmp_path_factory.mktemp("served")
    served = Served(make_workspace(folder / "work space", folder / "home"))
    yield served
    served.stop()


@pytest.fixture
def served(one_served: Served) -> Served:
    """A workspace with `shardsmith serve`, one for the run; it is started again where a test has ended it."""
    if one_served.process.poll() is not None:
        one_served.start()
    return one_served


@pytest.fixture(scope="session")
def two_versions(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """sample@one; and sample@two with an image more, other boxes and another split.

    The page of the first is in pages/one.html beside the workspace.
    """
    from workspaces import make_workspace

    folder = tmp_path_factory.mktemp("two")
    place = make_workspace(folder / "work", folder / "home")
    place.add_store(folder / "store")
    place.commit("remote")
    place.quick_build("one")
    place.write("../pages/one.html", place.read("data/report/index.html"))
    place.add_image("10", "cat", 10)
    place.edit_xml("00", "<ymin>3", "<ymin>5")
    place.edit_xml("02", "cat", "bird")
    for number in (1, 3, 5, 7, 9):
        place.edit_xml(f"0{number}", "dog", "hound")
    place.write(
        "params.yaml",
        place.read("params.yaml").replace("era: 1    ", "era: 2    ", 1).replace("seed: 0    ", "seed: 7    ", 1),
    )
    place.quick_build("two", "--allow-label-change")
    return place
