"""versions and show: which one is current, what it is made of in a few words, and by what it was made."""

from __future__ import annotations

import hashlib
import json
import platform
import re
from importlib import metadata
from pathlib import Path

import pytest
from workspaces import Place, copied

from shardsmith.versions.lineage import parse_message
from shardsmith.versions.listing import in_short
from shardsmith.workspace.lock_file import read_leniently

RESIZE = {"resize": {"width": 640, "height": 480, "mode": "fill"}}


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, "raw"),
        ({"preprocess": {"enabled": False, "steps": [RESIZE]}, "augment": {"enabled": False, "copies": 3}}, "raw"),
        ({"preprocess": {"enabled": True, "steps": [RESIZE]}}, "resize 640x480 fill"),
        ({"preprocess": {"enabled": True, "steps": [{"resize": {"width": 64, "height": 32}}]}}, "resize 64x32 fit"),
        ({"preprocess": {"enabled": True, "steps": [{"grayscale": None}, RESIZE]}}, "grayscale, resize 640x480 fill"),
        ({"preprocess": {"enabled": True, "steps": [{"a": {}}, {"b": {}}, {"c": {}}, {"d": {}}]}}, "a, b, 2 more"),
        ({"preprocess": {"enabled": True}}, "no steps"),
        ({"augment": {"enabled": True}}, "2 copies"),
        ({"augment": {"enabled": True, "copies": 1}}, "1 copy"),
        ({"preprocess": {"enabled": True, "steps": [RESIZE]}, "augment": {"enabled": True, "copies": 3}},
         "resize 640x480 fill; 3 copies"),
        ({"preprocess": None, "augment": "once a word"}, "raw"),
        ({"preprocess": {"enabled": True, "steps": ["resize", {"resize": 640}, 7]}}, "resize, resize, 1 more"),
        ({"preprocess": {"enabled": True, "steps": 7}}, "no steps"),
    ],
)  # fmt: skip
def test_params_of_any_age_in_a_few_words(params: dict, expected: str) -> None:
    assert in_short(params) == expected


@pytest.mark.parametrize("text", ["", "a: [", "- a", "7", "a: 1\na: 2"])
def test_params_that_are_no_mapping_stop_nothing(text: str) -> None:
    assert read_leniently(text) == {}


def test_a_tag_message_is_lines_of_keys_and_values() -> None:
    assert parse_message("d@v: 3 images\n\ndata/raw: ab.dir\nplatform: a: b\nno colon\n") == {
        "data/raw": "ab.dir",
        "platform": "a: b",
    }


@pytest.fixture(scope="module")
def place(built: Place, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """sample@one by `shardsmith build`; sample@two with copies, recorded outside of a flow. Not to be changed."""
    place = copied(built, tmp_path_factory.mktemp("listed") / "copy")
    before, _, after = place.read("params.yaml").partition("augment:")
    params = f"{before}augment:{after.replace('enabled: false', 'enabled: true', 1)}"
    place.write("params.yaml", params)
    place.quick_build("two")
    return place


@pytest.fixture
def copy(place: Place, tmp_path: Path) -> Place:
    return copied(place, tmp_path / "copy")


def listed(place: Place) -> list[dict]:
    return json.loads(place.shardsmith("versions", "--json").stdout)


def tag(place: Place, name: str, at: str = "HEAD") -> None:
    place.git("-c", "user.name=A", "-c", "user.email=a@b", "tag", "-am", "by hand", name, at)


@pytest.mark.slow
@pytest.mark.xdist_group("flows")  # whose Prefect server it uses
class TestRealVersions:
    def test_each_version_with_its_counts_size_and_params(self, place: Place) -> None:
        one, two = listed(place)
        size = json.loads(place.git("show", "sample@one:data/metrics.json"))["bytes"]
        counts = {"tag": "sample@one", "images": 10, "boxes": 10, "classes": 2, "bytes": size, "parameters": "raw"}
        assert counts.items() <= one.items()
        assert (two["parameters"], two["images"] > 10) == ("2 copies", True)
        assert (one["current"], two["current"]) == (False, True)

    def test_the_table_marks_the_current_one(self, place: Place) -> None:
        header, one, two = place.shardsmith("versions").stdout.splitlines()
        assert header.split() == ["name", "date", "(UTC)", "parameters", "images", "boxes", "classes", "MB"]
        assert re.fullmatch(r"   one   20\d\d-\d\d-\d\d \d\d:\d\d  raw +10 +10 +2 +0\.1", one)
        assert two.startswith("*  two ")

    def test_current_is_what_dvc_lock_stands_at(self, copy: Place) -> None:
        tag(copy, "sample@again", "sample@two^{}")
        tag(copy, "sample@v", "sample@one^{}")
        assert {row["name"] for row in listed(copy) if row["current"]} == {"two", "again"}
        copy.git("checkout", "-q", "sample@one")
        assert {row["name"] for row in listed(copy) if row["current"]} == {"one", "v"}
        copy.write("dvc.lock", copy.read("dvc.lock").replace("size: ", "size: 1", 1))
        assert not any(row["current"] for row in listed(copy))

    def test_a_version_of_params_that_are_refused_today_is_listed_and_shown(self, copy: Place) -> None:
        before = copy.read("params.yaml")
        for name, params in (("sample@key", before + "\nonce: {a: 1}\n"), ("sample@text", "a: [")):
            copy.write("params.yaml", params)
            copy.commit(name)
            tag(copy, name)
        copy.write("params.yaml", before)
        assert [row["parameters"] for row in listed(copy)] == ["raw", "2 copies", "2 copies", "raw"]
        assert json.loads(copy.shardsmith("show", "key", "--json").stdout)["params"]["once"] == {"a": 1}
        assert copy.shardsmith("diff", "key", "two").stdout.endswith("Parameters\n  once.a  1 -> none\n")
        shown = json.loads(copy.shardsmith("show", "text", "--json").stdout)
        assert (shown["params"], shown["lineage"]["packages"], shown["lineage"]["flow_run"]) == ({}, None, None)
        assert "Platform" not in copy.shardsmith("show", "text").stdout

    def test_show_says_what_a_version_was_made_of_and_by(self, place: Place) -> None:
        lineage = json.loads(place.shardsmith("show", "one", "--json").stdout)["lineage"]
        assert lineage["commit"] == place.git("rev-parse", "sample@one^{}")
        assert lineage["lock"] == hashlib.sha256((place.git("show", "sample@one:dvc.lock") + "\n").encode()).hexdigest()
        assert lineage["raw"] in place.git("show", "sample@one:data/raw.dvc")
        assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f-]{27}", lineage["flow_run"])
        assert (lineage["platform"], lineage["machine"]) == (platform.platform(), platform.machine())
        installed = {name: metadata.version(name) for name in ("numpy", "opencv-python-headless", "dvc", "prefect")}
        assert lineage["packages"].items() >= installed.items()
        assert json.loads(place.shardsmith("show", "two", "--json").stdout)["lineage"]["flow_run"] is None

    def test_the_tag_keeps_it(self, place: Place) -> None:
        message = parse_message(place.git("tag", "-l", "--format=%(contents)", "sample@one"))
        assert list(message)[:6] == [
            "data/export", "data/label_map.pbtxt", "data/raw", "dvc.lock", "flow-run", "python",
        ]  # fmt: skip
        assert f"numpy {metadata.version('numpy')}" in message["packages"]

    def test_show_on_the_terminal(self, place: Place) -> None:
        shown = place.shardsmith("show", "two").stdout
        assert "How it was made:\n  - Source: data labelled as PASCAL VOC XML." in shown
        assert "  - Augmentation: 2 random copies of each train image" in shown
        assert f"Commit:   {place.git('rev-parse', 'sample@two^{}')}\n" in shown
        assert "Flow run" not in shown

    def test_show_in_a_clone_without_a_cache_leaves_the_readme_out(self, place: Place, tmp_path: Path) -> None:
        clone = place.clone(tmp_path / "clone")
        shown = json.loads(clone.shardsmith("show", "one", "--json").stdout)
        assert (shown["readme"], shown["lineage"]["python"]) == (None, platform.python_version())
        clone.dvc("config", "--local", "cache.dir", str(place.root / ".dvc/cache"))
        assert json.loads(clone.shardsmith("show", "one", "--json").stdout)["readme"].startswith("# sample\n")
