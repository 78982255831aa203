"""Adding on the page, in a real browser: drop, look, rename, add."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Page
from paged import Served, needs_browser, serious, serve_page
from test_app_add import voc, zipped

from shardsmith.app.uploads.store import Upload

pytestmark = [pytest.mark.workspace]
HOSTILE = "<script>alert(1)</script>"
SEEN = "document.querySelector('#add') !== null"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    with serve_page(folder=folder) as served:
        yield served


@pytest.fixture(scope="module")
def page(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with served.browser(tmp_path_factory.mktemp("home")) as page:
        yield page


def _files(folder: Path) -> Path:
    folder.mkdir()
    for name, data in (voc(2) | voc(1, HOSTILE, first=5)).items():
        (folder / name).write_bytes(data)
    return folder


@needs_browser
def test_from_a_drop_to_a_dataset(page: Page, served: Served, folder: Path, tmp_path: Path) -> None:
    """A connection that is cut meanwhile, a broken archive, a class that is markup; two presses in all."""
    (tmp_path / "cut.zip").write_bytes(zipped(voc(1))[:300])
    page.open(f"{served.address}/add")
    assert serious(page) == []
    page.run(
        "(was => { let cut = 2; window.fetch = (to, how) => how?.method === 'PUT' && cut-- > 0"
        " ? Promise.reject(new TypeError('cut')) : was(to, how); })(window.fetch)"
    )
    page.presses = 0
    page.drop(_files(tmp_path / "pets"), tmp_path / "cut.zip")
    page.wait(SEEN, 90)
    said = page.run("document.body.innerText")
    assert "cut.zip: " in said and HOSTILE in said and "alert(1)" not in "".join(page.said)
    for width_px in (390, 1440):
        for dark in (False, True):
            page.view(width_px, 900, dark)
            assert serious(page) == [] and page.run("document.documentElement.scrollWidth") <= width_px
    assert page.run("document.querySelectorAll('.gallery .mark').length") >= 3
    page.fill("input[name=name-0]", "kitten")
    page.fill("input[name=name]", "pets")
    page.click("#add")
    page.wait("location.pathname === '/d/pets/new'", 120)
    assert page.presses == 2
    assert "cat: kitten" in (folder / "pets" / "params.yaml").read_text()
    assert len(list((folder / "pets" / "data" / "raw").rglob("*.jpg"))) == 3


@needs_browser
def test_a_broken_archive_says_so_and_is_discarded_by_keys_alone(
    page: Page, served: Served, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "broken.zip").write_bytes(zipped(voc(1))[:300])
    page.open(f"{served.address}/add")
    page.drop(tmp_path / "broken.zip")
    page.wait("document.querySelector('.notice.error pre')?.innerText.includes('broken.zip')", 90)
    assert serious(page) == []
    for _ in range(20):
        page.press("Tab")
        if page.run("document.activeElement.classList.contains('danger')"):
            break
    page.press("Enter")
    page.wait("document.querySelector('#drop') !== null")
    assert not [one for one in folder.glob(".builds/page/uploads/*/about.json") if Upload(one.parent).name == "broken"]


@pytest.mark.long
@needs_browser
def test_a_folder_of_5000_images(page: Page, served: Served, tmp_path: Path) -> None:
    for name, data in voc(5_000).items():
        (tmp_path / "many" / ("one" if name < "i2" else "two")).mkdir(parents=True, exist_ok=True)
        (tmp_path / "many" / ("one" if name < "i2" else "two") / name).write_bytes(data)
    page.open(f"{served.address}/add")
    page.drop(tmp_path / "many")
    page.wait(SEEN, 600)
    assert "5,000" in page.run("document.querySelector('#content').innerText")
