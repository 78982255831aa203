"""From an empty folder to a downloaded version, by the pointer alone, in a real browser."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from paged import MISSING, TOKEN, serious, serve_page
from test_app_add import voc, zipped
from workspaces import BIN, Place

pytestmark = [pytest.mark.slow]
SOURCE = "document.querySelector('#effects img:not([src=\"\"])')?.src"


@MISSING
@pytest.mark.xdist_group("flows")
def test_six_presses(tmp_path: Path, prefect_api: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drop, add, resize, three copies, generate, download: and what comes is what `shardsmith pull` gives."""
    (tmp_path / "home").mkdir()
    (tmp_path / "pets.zip").write_bytes(zipped(voc(8)))
    for key in [key for key in os.environ if key.startswith(("GIT_", "DVC_"))]:
        monkeypatch.delenv(key)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PREFECT_API_URL", prefect_api)
    folder = tmp_path / "here"
    folder.mkdir()
    with serve_page(folder=folder) as served, served.browser(tmp_path / "chromium") as page:
        page.view(1440, 900)
        page.presses = 0
        page.wait("document.querySelector('#drop') !== null")
        page.drop(tmp_path / "pets.zip")
        page.click("#add")
        page.wait("location.pathname === '/d/pets/new'", 120)
        before = page.wait(SOURCE, 60)
        page.click("[data-add='preprocess.resize']")
        page.click("[data-copies='3']")
        page.wait("document.querySelectorAll('#effects figure, #effects img').length >= 12", 60)
        assert before and serious(page) == []
        page.run("scrollTo(0, 0)")
        page.click("#build button.primary")
        page.wait("location.pathname === '/d/pets/build'", 30)
        page.open(f"{served.address}/d/pets/build")  # a reload in the middle
        page.wait("document.querySelector('#downloads button[value=coco]') !== null", 240)
        assert serious(page) == []
        page.click("#downloads button[value=coco]")
        page.wait("document.querySelector('#coming a[download]') !== null", 120)
        assert page.presses == 6
        assert page.said == []
        (made,) = served.json("/api/d/pets/versions")
        assert made["images"] > 8 and "resize 640x640" in made["parameters"] and "3 copies" in made["parameters"]
        zip_of = f"{served.address}/api/d/pets/versions/{made['name']}/zip?format=coco"
        with urlopen(Request(zip_of, headers={"authorization": f"Bearer {TOKEN}"})) as answer:
            (tmp_path / "page.zip").write_bytes(answer.read())
    place = Place(folder / "pets", {**os.environ, "PATH": f"{BIN}:/usr/bin:/bin"})
    place.shardsmith("pull", made["name"], "--format", "coco", "--zip", "--out", str(tmp_path / "command.zip"))
    page_zip, other = (zipfile.ZipFile(tmp_path / name) for name in ("page.zip", "command.zip"))
    assert {i.filename: i.CRC for i in page_zip.infolist()} == {i.filename: i.CRC for i in other.infolist()}
