"""fetch: raw data from folders, archives and addresses, with a real web server and real DVC."""

from __future__ import annotations

import functools
import http.server
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import image_bytes
from workspaces import Place, make_workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("fetch")]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("fetch")
    return make_workspace(folder / "work", folder / "home")


@pytest.fixture
def place(template: Place, tmp_path: Path) -> tuple[Place, Path]:
    """A workspace whose data/raw is empty, and the folder that it held."""
    shutil.copytree(template.root.parent, tmp_path / "copy")
    shutil.move(tmp_path / "copy/work/data/raw", tmp_path / "set")
    return Place(tmp_path / "copy/work", template.env), tmp_path / "set"


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """A web server on loopback that serves tmp_path."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


@pytest.mark.parametrize("kind", ["folder", "zip", "gztar", "url"])
def test_fetch(place: tuple[Place, Path], tmp_path: Path, web: str, kind: str) -> None:
    workspace, source = place
    expected = {path.name: path.read_bytes() for path in source.iterdir()}
    address = str(source)
    if kind != "folder":
        archive = shutil.make_archive(str(tmp_path / "set"), "zip" if kind == "url" else kind, source)
        address = f"{web}/set.zip" if kind == "url" else archive
    workspace.shardsmith("fetch", address)
    assert {path.name: path.read_bytes() for path in (workspace.root / "data/raw").iterdir()} == expected
    assert "md5" in workspace.read("data/raw.dvc")
    again = workspace.shardsmith("fetch", address, ok=False)
    assert (again.returncode, "holds something already" in again.stderr) == (1, True)


def test_fetch_adds(place: tuple[Place, Path], tmp_path: Path) -> None:
    workspace, source = place
    workspace.shardsmith("fetch", str(source))
    before = sorted(path.name for path in (workspace.root / "data/raw").iterdir())
    more = tmp_path / "more"
    more.mkdir()
    shutil.copy(source / "00.jpg", more)
    (more / "new.jpg").write_bytes(image_bytes())
    (more / "01.xml").write_text("other")
    refused = workspace.shardsmith("fetch", str(more), "--add", ok=False)
    assert (refused.returncode, "under the same name: 01.xml; nothing was added" in refused.stderr) == (1, True)
    assert sorted(path.name for path in (workspace.root / "data/raw").iterdir()) == before
    (more / "01.xml").unlink()
    assert "data/raw: 1 files added" in workspace.shardsmith("fetch", str(more), "--add").stderr
    assert sorted(path.name for path in (workspace.root / "data/raw").iterdir()) == sorted([*before, "new.jpg"])


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("nothing", "no such folder or archive"),
        ("{web}/none.zip", "cannot be downloaded"),
        ("{set}/00.jpg", "neither a folder"),
    ],
)
def test_fetch_says_what_it_cannot_have(place: tuple[Place, Path], web: str, address: str, message: str) -> None:
    workspace, source = place
    done = workspace.shardsmith("fetch", address.format(web=web, set=source), ok=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (workspace.root / "data/raw").exists()
    assert not list((workspace.root / "data").glob(".fetch*"))


def test_images_that_annotations_name_by_address(place: tuple[Place, Path], tmp_path: Path, web: str) -> None:
    workspace, _ = place
    (tmp_path / "served.jpg").write_bytes(image_bytes())
    rows = [
        {"data_row": {"external_id": name, "row_data": url}, "media_attributes": {}, "projects": {}}
        for name, url in (
            ("a.jpg", f"{web}/served.jpg"),
            ("../../b.jpg", f"{web}/served.jpg"),
            ("c.jpg", f"{web}/none.jpg"),
            ("d.jpg", "file:///etc/hostname"),
            ("e.jpg", "s3://bucket/e.jpg"),
            ("f.jpg", f"{web}/served.jpg"),
        )
    ]
    workspace.write("data/raw/export.ndjson", "\n".join(map(json.dumps, rows)))
    done = workspace.shardsmith("fetch", "--images", AWS_EC2_METADATA_DISABLED="true")
    came = ["a.jpg", "b.jpg", "export.ndjson", "f.jpg"]
    assert sorted(path.name for path in (workspace.root / "data/raw").iterdir()) == came
    assert "c.jpg: " in done.stderr
    assert "e.jpg: s3://bucket/e.jpg: cannot be downloaded (Unable to locate credentials)" in done.stderr
    assert "d.jpg: file:///etc/hostname: cannot be downloaded (not an address of" in done.stderr
