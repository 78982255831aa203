"""Factories and real data for the tests."""

from __future__ import annotations

import http.client
import io
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PilImage
from tallies import attack, pytest_terminal_summary  # noqa: F401 (pytest looks for them here)

from stages.dataset.images import probe
from stages.dataset.manifest import Annotation, Image, Manifest

RACCOON = Path(__file__).parents[2] / "shared" / "datasets" / "raccoon"


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
