"""A version made, looked at and downloaded by the page's own addresses: the same as the commands make."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from paged import MISSING, TOKEN, Served, serious, serve_page
from workspaces import Place, copied, make_workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flows")]
SETTINGS = {"preprocess.enabled": True, "preprocess.steps": [{"resize": {"width": 32, "height": 32}}]}
PATIENCE_S = 240


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, prefect_api: str) -> Place:
    """With sample@one, made without Prefect."""
    folder = tmp_path_factory.mktemp("paged")
    place = make_workspace(folder / "work", folder / "home", prefect_api)
    place.quick_build("one")
    return place


@pytest.fixture(scope="module")
def served(place: Place) -> Iterator[Served]:
    with pytest.MonkeyPatch.context() as patch:
        for key in ("HOME", "PATH", "PYTHONPATH", "GIT_CONFIG_NOSYSTEM", "SHARDSMITH_WORKERS", "PREFECT_API_URL"):
            patch.setenv(key, place.env[key])
        with serve_page(place.root) as served:
            yield served


def get(served: Served, path: str) -> bytes:
    with urlopen(Request(f"{served.address}{path}", headers={"authorization": f"Bearer {TOKEN}"})) as answer:
        return answer.read()


def until(ask: Callable[[], dict[str, Any]], state: str = "running") -> dict[str, Any]:
    end = time.monotonic() + PATIENCE_S
    while (said := ask())["state"] == state and time.monotonic() < end:
        time.sleep(0.3)
    return said


def test_a_version_as_the_command_makes_it(served: Served, place: Place, tmp_path: Path) -> None:
    by_command = copied(place, tmp_path / "other")
    said = served.json("/api/d/work/build", {"name": "two", "settings": SETTINGS})
    assert said["state"] == "running"
    with pytest.raises(HTTPError) as refused:
        served.json("/api/d/work/build", {"name": "three"})
    assert refused.value.code == 400 and b"already" in refused.value.read()
    shares = [0.0]
    while (now := served.json("/api/d/work/build"))["state"] == "running":
        shares.append(now["share"])
        time.sleep(0.3)
    assert now["state"] == "done" and now["tag"] == "sample@two" and now["made"], now
    assert b"sample@two" in get(served, "/d/work/versions/two") and b"Done: two" in get(served, "/d/work/build")
    assert max(shares) > 0.3
    by_command.build("--name", "two", "-S", "preprocess.enabled=true", "-S", f"preprocess.steps={SETTINGS['preprocess.steps']}")  # noqa: E501  # fmt: skip
    assert by_command.read("dvc.lock") == place.read("dvc.lock")
    assert by_command.read("params.yaml") == place.read("params.yaml")


def test_what_is_not_allowed_is_said_before_anything_starts(served: Served) -> None:
    for wanted in ({"settings": {"augment.copys": 3}}, {"name": "no/name"}, {"settings": {"augment.copies": -1}}):
        with pytest.raises(HTTPError) as refused:
            served.json("/api/d/work/build", wanted)
        assert refused.value.code == 400 and b"error" in refused.value.read()


@MISSING
def test_a_build_is_seen_in_two_tabs_and_cancelled_or_says_why_it_fails(
    served: Served, place: Place, tmp_path: Path
) -> None:
    before = place.read("params.yaml"), place.tags()
    served.json("/api/d/work/build", {"name": "never", "settings": {"split.seed": 7}})
    address = f"{served.address}/d/work/build"
    with served.browser(tmp_path / "one") as one, served.browser(tmp_path / "two") as two:
        for page in (one, two, one):  # once more: a reload
            page.open(address)
            page.wait("document.querySelector('progress') !== null")
        two.click("form[action$='/build/cancel'] button")
        for page in (one, two):
            page.wait("document.body.innerText.includes('Cancelled: never')", PATIENCE_S)
        assert (place.read("params.yaml"), place.tags()) == before
        assert place.git("status", "--porcelain", "-uno") == ""
        served.json("/api/d/work/build", {"settings": {"export.require": {"min_images": 500}}})
        one.open(address)
        one.wait("document.querySelector('[role=alert]')?.innerText.includes('10 images, 500 required')", PATIENCE_S)
        assert serious(one) == []
        assert served.json("/api/d/work/build")["state"] == "failed"


def test_a_download_is_what_pull_gives(served: Served, place: Place, tmp_path: Path) -> None:
    ask = {"format": "coco", "split": "train", "class_": "cat"}
    said = until(lambda: served.json("/api/d/work/versions/one/download", ask))
    assert said["state"] == "done", said
    data = get(served, "/api/d/work/versions/one/zip?format=coco&split=train&class_=cat")
    (tmp_path / "page.zip").write_bytes(data)
    pulled = ("pull", "one", "--format", "coco", "--split", "train", "--class", "cat", "--zip", "--out")
    place.shardsmith(*pulled, str(tmp_path / "command.zip"))
    one, other = (zipfile.ZipFile(tmp_path / name) for name in ("page.zip", "command.zip"))
    assert one.namelist() == other.namelist() and {i.CRC for i in one.infolist()} == {i.CRC for i in other.infolist()}
    with pytest.raises(HTTPError, match="404"):
        get(served, "/api/d/work/versions/one/zip?format=voc")


def test_a_version_is_compared_verified_and_withdrawn(served: Served, place: Place) -> None:
    place.git("branch", "before")
    place.add_image("more", "dog", 77)
    place.quick_build("three")
    found = served.json("/api/d/work/versions/three/compare?other=one")
    assert [one["image_id"] for one in found["images"]["added"]] == ["more.jpg"]
    assert b"more.jpg" in get(served, "/d/work/versions/three/compare?other=one")
    served.json("/api/d/work/versions/one/verify", {})
    assert until(lambda: served.json("/api/d/work/versions/one/verify"))["state"] == "done"
    with pytest.raises(HTTPError) as refused:
        served.json("/api/d/work/versions/three/withdraw?confirm=tree", {})
    assert refused.value.code == 400 and "sample@three" in place.tags()
    served.json("/api/d/work/versions/three/withdraw?confirm=three&why=wrong", {})
    said = until(lambda: served.json("/api/d/work/versions/three/withdraw"))
    assert said["state"] == "done" and "sample@three" not in place.tags(), said


def test_a_report_runs_apart(served: Served) -> None:
    request = Request(f"{served.address}/d/work/versions/one/report", headers={"authorization": f"Bearer {TOKEN}"})
    with urlopen(request) as answer:
        assert (
            answer.headers["content-security-policy"].startswith("sandbox allow-scripts")
            and b"sample@one" in answer.read()
        )
