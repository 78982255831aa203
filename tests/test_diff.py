"""diff: each kind of change by itself, in tables of a row or two; then real versions, from cache and remote."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from conftest import box, make_manifest
from workspaces import Place, copied

from shardsmith.compare.boxes import BoxPair
from shardsmith.compare.bump import bump_of
from shardsmith.compare.changes import Diff, Side, changed_in_place, changed_params, compare
from shardsmith.compare.report import text
from shardsmith.dataset.manifest import ANNOTATIONS, IMAGES, Annotation, Image


def image(name: str = "a.jpg", sha256: str = "1", **columns: object) -> Image:
    row = {"path": name, "width": 100, "height": 80, "format": "jpeg", "split": "train"} | columns
    return Image(name, sha256=sha256, **row)  # type: ignore[arg-type]


def made(name: str, source: str, *operations: str, sha256: str = "2", of: str = "1", **columns: object) -> Image:
    """An image that steps made of `source`, whose bytes in data/raw have the SHA-256 `of`."""
    stages = [{"operations": [[one, {}] for one in operations], "format": "jpeg", "quality": 95}]
    origin = json.dumps({"image_id": source, "sha256": of, "stages": stages})
    return image(name, sha256, origin=origin, **columns)


def side(*rows: Image | Annotation, name: str = "d@old", ids: dict | None = None, **params: object) -> Side:
    manifest = make_manifest(*rows)
    return Side(name, manifest.images, manifest.annotations, params, ids or {}, 1000)


def changes(diff: Diff) -> dict[str, list[str]]:
    """All that a diff lists, as short as it can be said; what is empty is left out."""
    images, boxes, classes = diff.images, diff.boxes, diff.classes
    found = {
        "images added": [f"{one.image_id} {one.split}" for one in images.added],
        "images removed": [f"{one.image_id} {one.split}" for one in images.removed],
        "images changed": [f"{one.image_id} {'raw data' if one.in_raw_data else 'steps'}" for one in images.changed],
        "images moved": [f"{one.image_id} {one.old} {one.new}" for one in images.moved],
        "leaked": [f"{one.image_id} {one.name_in_test} {one.train_of}" for one in images.leaked],
        "images retagged": [f"{one.image_id} {one.old} {one.new}" for one in images.retagged],
        "made": images.remade_added,
        "no longer made": images.remade_removed,
        "boxes added": [f"{one.image_id} {one.label} {at(one.corners)}" for one in boxes.added],
        "boxes removed": [f"{one.image_id} {one.label} {at(one.corners)}" for one in boxes.removed],
        "boxes moved": [said(pair) for pair in boxes.moved],
        "boxes relabelled": [said(pair) for pair in boxes.relabelled],
        "boxes edited": [f"{pair.new.label} {' '.join(pair.columns)}" for pair in boxes.edited],
        "classes added": classes.added,
        "classes removed": classes.removed,
        "classes renamed": [f"{one.old} {one.new} {one.boxes}" for one in classes.renamed],
    }
    return {kind: listed for kind, listed in found.items() if listed}


def at(corners: list[float] | None) -> str:
    return f"{corners[0]:g}" if corners else "whole"


def said(pair: BoxPair) -> str:
    return f"{pair.old.label} {at(pair.old.corners)} -> {pair.new.label} {at(pair.new.corners)}"


def cat(xmin: float = 10, of: str = "a.jpg", label: str = "cat", **columns: object) -> Annotation:
    """A box of 20 x 10 px that begins at xmin: one 2 px further has an IoU of 0.82 with it, one 7 px further 0.48."""
    return box(of, label, float(xmin), 5.0, float(xmin) + 20, 15.0, **columns)


def dog(xmin: float = 10, of: str = "a.jpg") -> Annotation:
    return cat(xmin, of, "dog")


def whole(label: str) -> Annotation:
    return Annotation("a.jpg", label, None, None, None, None)


A, B = image(), image("b.jpg")
KINDS = {
    "the same": ([A, cat()], [A, cat()], {}),
    "image added, its boxes with it": (
        [A, cat()], [A, cat(), B, cat(of="b.jpg")],
        {"images added": ["b.jpg train"], "boxes added": ["b.jpg cat 10"]},
    ),
    "image removed, its boxes with it": (
        [A, cat(), B, cat(of="b.jpg")], [A, cat()],
        {"images removed": ["b.jpg train"], "boxes removed": ["b.jpg cat 10"]},
    ),
    "image with other bytes": ([A], [image(sha256="2")], {"images changed": ["a.jpg raw data"]}),
    "image made by another step": (
        [made("a.jpg", "a.jpg", "grayscale"), cat()], [made("a.jpg", "a.jpg", "contrast", sha256="3"), cat()],
        {"images changed": ["a.jpg steps"]},
    ),
    "image in another split": (
        [A],
        [image(split="test")],
        {"images moved": ["a.jpg train test"], "leaked": ["a.jpg a.jpg old"]},
    ),
    "image with other tags": ([A], [image(tags=["night"])], {"images retagged": ["a.jpg [] ['night']"]}),
    "box added": ([A, cat()], [A, cat(), cat(50)], {"boxes added": ["a.jpg cat 50"]}),
    "box removed": ([A, cat(), cat(50)], [A, cat()], {"boxes removed": ["a.jpg cat 50"]}),
    "one of two equal boxes removed": ([A, cat(), cat()], [A, cat()], {"boxes removed": ["a.jpg cat 10"]}),
    "other order": ([A, cat(), dog(50)], [A, dog(50), cat()], {}),
    "box moved": ([A, cat()], [A, cat(12)], {"boxes moved": ["cat 10 -> cat 12"]}),
    "box off by a rounding": ([A, cat()], [A, cat(10.004)], {}),
    "box too far away to be the same": (
        [A, cat()], [A, cat(17)], {"boxes added": ["a.jpg cat 17"], "boxes removed": ["a.jpg cat 10"]},
    ),
    "two boxes moved, the nearest to the nearest": (
        [A, cat(10), cat(14)], [A, cat(15), cat(11)], {"boxes moved": ["cat 10 -> cat 11", "cat 14 -> cat 15"]},
    ),
    "box relabelled": (
        [A, cat(), dog(60), cat(30)], [A, dog(), dog(60), cat(30)], {"boxes relabelled": ["cat 10 -> dog 10"]},
    ),
    "box relabelled and drawn anew": (
        [A, cat(), dog(60), cat(30)], [A, dog(12), dog(60), cat(30)], {"boxes relabelled": ["cat 10 -> dog 12"]},
    ),
    "box relabelled, though a neighbour could have moved there": (
        [A, dog(10), cat(12), dog(60), cat(30)], [A, cat(10), dog(60), cat(30)],
        {"boxes relabelled": ["dog 10 -> cat 10"], "boxes removed": ["a.jpg cat 12"]},
    ),
    "box moved, though another class came nearer": (
        [A, cat(10), dog(60)], [A, cat(12), dog(11), dog(60)],
        {"boxes moved": ["cat 10 -> cat 12"], "boxes added": ["a.jpg dog 11"]},
    ),
    "box with another outline and attribute": (
        [A, cat()], [A, cat(segmentation="[[1,1,5,1,5,5]]", attributes='{"pose": "left"}')],
        {"boxes edited": ["cat segmentation attributes"]},
    ),
    "box that became a crowd": ([A, cat()], [A, cat(is_crowd=True)], {"boxes edited": ["cat is_crowd"]}),
    "label of a whole image": (
        [A, whole("cat"), B, dog(10, "b.jpg"), cat(50, "b.jpg")],
        [A, whole("dog"), B, dog(10, "b.jpg"), cat(50, "b.jpg")],
        {"boxes relabelled": ["cat whole -> dog whole"]},
    ),
    "class added": (
        [A, cat()], [A, cat(), dog(50)], {"boxes added": ["a.jpg dog 50"], "classes added": ["dog"]},
    ),
    "class removed": (
        [A, cat(), dog(50)], [A, cat()], {"boxes removed": ["a.jpg dog 50"], "classes removed": ["dog"]},
    ),
    "class renamed, one of its boxes moved": (
        [A, cat(10), cat(50)], [A, dog(10), dog(52)],
        {"boxes moved": ["cat 50 -> dog 52"], "classes renamed": ["cat dog 2"]},
    ),
    "class that vanished, but whose boxes mostly went": (
        [A, cat(10), cat(30), cat(60)], [A, dog(10)],
        {
            "boxes relabelled": ["cat 10 -> dog 10"], "boxes removed": ["a.jpg cat 30", "a.jpg cat 60"],
            "classes added": ["dog"], "classes removed": ["cat"],
        },
    ),
    "class that most boxes left, but not all": (
        [A, cat(10), cat(30), cat(60)], [A, dog(10), dog(30), cat(60)],
        {"boxes relabelled": ["cat 10 -> dog 10", "cat 30 -> dog 30"], "classes added": ["dog"]},
    ),
    "two classes became one: the larger was renamed": (
        [A, cat(10), cat(30), dog(60)], [A, *(cat(x, label="animal") for x in (10, 30, 60))],
        {"boxes relabelled": ["dog 60 -> animal 60"], "classes removed": ["dog"], "classes renamed": ["cat animal 2"]},
    ),
    "images resized and padded: boxes lie elsewhere, and nobody moved them": (
        [A, cat(10), cat(50), dog(60)],
        [made("a.jpg", "a.jpg", "resize", width=64, height=64), cat(2), cat(30), dog(33)],
        {"images changed": ["a.jpg steps"]},
    ),
    "images resized, a box removed": (
        [A, cat(10), cat(50)],
        [made("a.jpg", "a.jpg", "resize", width=200, height=160), box("a.jpg", "cat", 20, 10, 60, 30)],
        {"images changed": ["a.jpg steps"], "boxes removed": ["a.jpg cat 50"]},
    ),
    "images resized, a box relabelled in its place": (
        [A, cat(10), dog(50)],
        [
            made("a.jpg", "a.jpg", "resize", width=200, height=160),
            *(box("a.jpg", "dog", x, 10, x + 40, 30) for x in (20, 100)), B, cat(of="b.jpg"),
        ],
        {
            "images changed": ["a.jpg steps"], "images added": ["b.jpg train"], "boxes added": ["b.jpg cat 10"],
            "boxes relabelled": ["cat 10 -> dog 20"],
        },
    ),
    "images resized, and with them the areas of their boxes": (
        [A, cat(10, area=200.0)],
        [made("a.jpg", "a.jpg", "resize", width=200, height=160), box("a.jpg", "cat", 20, 10, 60, 30, area=800.0)],
        {"images changed": ["a.jpg steps"]},
    ),
    "images cropped to their old size": (
        [A, cat(10)], [made("a.jpg", "a.jpg", "crop"), cat(60)], {"images changed": ["a.jpg steps"]},
    ),
    "an image replaced by one of another size": (
        [A, cat(10)], [image(sha256="2", width=300), cat(60)], {"images changed": ["a.jpg raw data"]},
    ),
    "images resized, the label of a whole one changed": (
        [A, whole("cat"), B, dog(10, "b.jpg"), cat(50, "b.jpg")],
        [made("a.jpg", "a.jpg", "resize", width=64, height=64), whole("dog"), B, dog(10, "b.jpg"), cat(50, "b.jpg")],
        {"images changed": ["a.jpg steps"], "boxes relabelled": ["cat whole -> dog whole"]},
    ),
    "copies of another seed": (
        [A, cat(), made("a.jpg#1", "a.jpg", "flip", copy=1), cat(20, "a.jpg#1")],
        [A, cat(), made("a.jpg#1", "a.jpg", "rotate", sha256="9", copy=1), dog(30, "a.jpg#1")],
        {"classes added": ["dog"]},
    ),
    "an original that only its copies stand for": (
        [A, cat()], [made("a.jpg#1", "a.jpg", "flip", copy=1), cat(of="a.jpg#1")], {"no longer made": ["a.jpg"]},
    ),
    "images cut into tiles": (
        [A, cat()], [made("a.jpg#r1c1", "a.jpg", "tile", parent_id="a.jpg"), cat(5, "a.jpg#r1c1")],
        {"made": ["a.jpg#r1c1"], "no longer made": ["a.jpg"]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_change_is_said_and_nothing_else(kind: str) -> None:
    old, new, expected = KINDS[kind]
    assert changes(compare(side(*old), side(*new))) == expected


def test_images_whose_boxes_differ_are_listed_once_and_new_images_are_not() -> None:
    names = ("a.jpg", "b.jpg", "c.jpg", "d.jpg")
    old = [*map(image, names[:3]), cat(), cat(50), cat(of="b.jpg"), cat(of="c.jpg")]
    new = [*map(image, names), cat(3), cat(53), dog(of="b.jpg"), cat(of="c.jpg"), cat(of="d.jpg")]
    assert changed_in_place(compare(side(*old), side(*new))) == ["b.jpg", "a.jpg"]


def test_counts_are_side_by_side_and_copies_apart() -> None:
    copies = [made(f"a.jpg#{n}", "a.jpg", "flip", copy=n, parent_id="a.jpg") for n in (1, 2)]
    diff = compare(side(A, cat()), side(A, cat(), dog(50), *copies, cat(of="a.jpg#1"), dog(of="a.jpg#2")))
    assert (diff.images.total, diff.images.copies) == ((1, 1), (0, 2))
    assert (diff.boxes.total, diff.boxes.copies) == ((1, 2), (0, 2))
    counts = {name: (count.boxes, count.copies) for name, count in diff.classes.counts.items()}
    assert counts == {"cat": ((1, 1), (0, 1)), "dog": ((0, 1), (0, 1))}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"cat": 1}, {"cat": 1, "dog": 2}, {}),
        ({"cat": 1, "dog": 2}, {"cat": 1}, {}),
        ({"cat": 1}, {"cat": 2}, {"cat": (1, 2)}),
        ({"cat": 1}, {"dog": 1}, {"cat": (1, None), "dog": (None, 1)}),
    ],
)
def test_an_id_that_changed_its_meaning_is_listed(old: dict, new: dict, expected: dict) -> None:
    assert compare(side(A, ids=old), side(A, ids=new)).classes.ids == expected


STEPS = [{"resize": {"width": 640}}, {"grayscale": None}]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"split": {"seed": 0}}, {"split": {"seed": 7}}, {"split.seed": (0, 7)}),
        ({"split": {"seed": 0}}, {"split": {"seed": 0, "group": None}}, {}),
        ({"split": {"seed": 0}}, {}, {"split.seed": (0, None)}),
        ({"export": {"formats": ["coco"]}}, {"export": {"formats": ["coco", "voc"]}},
         {"export.formats": (["coco"], ["coco", "voc"])}),
        ({"steps": STEPS}, {"steps": [{"resize": {"width": 320}}, STEPS[1]]}, {"steps.resize.width": (640, 320)}),
        ({"steps": STEPS}, {"steps": STEPS[::-1]}, {"steps": (["resize", "grayscale"], ["grayscale", "resize"])}),
        ({"steps": STEPS}, {"steps": STEPS[:1]}, {"steps": (["resize", "grayscale"], ["resize"])}),
        ({"steps": [{"noise": {"a": 1}}] * 2}, {"steps": [{"noise": {"a": 1}}, {"noise": {"a": 2}}]},
         {"steps.noise[2].a": (1, 2)}),
    ],
)  # fmt: skip
def test_params_differ_by_their_flattened_keys(old: dict, new: dict, expected: dict) -> None:
    assert changed_params(old, new) == expected


@pytest.mark.parametrize(
    ("old", "new", "level", "name"),
    [
        (side(A, cat()), side(A, cat()), "none", None),
        (side(A, cat(), name="d@v1.2.3", split={"seed": 0}), side(A, cat(), split={"seed": 7}), "patch", "v1.2.4"),
        (side(A, cat(), name="d@1.2.3"), side(A, cat(12)), "minor", "1.3.0"),
        (side(A, cat(), name="d@v1"), side(A, cat(), image("b.jpg")), "minor", None),
        (side(A, cat()), side(A, cat(), box("a.jpg", "dog", 50, 50, 60, 60)), "minor", None),
        (side(A, cat(), name="d@v1.2.3"), side(A, box("a.jpg", "dog", 50, 50, 60, 60)), "major", "v2.0.0"),
        (side(A, cat(), ids={"cat": 1}), side(A, cat(), ids={"dog": 1, "cat": 2}), "major", None),
        (side(A, export={"formats": ["coco", "voc"]}), side(A, export={"formats": ["voc"]}), "major", None),
        (side(A, export={"formats": ["voc"]}), side(A, export={"formats": ["coco", "voc"]}), "patch", None),
        (replace(side(A), annotation_group="raccoons"), replace(side(A), annotation_group="birds"), "major", None),
        (side(A), replace(side(A), annotation_group="birds"), "none", None),  # one from before it was said
    ],
)
def test_the_version_that_is_proposed(old: Side, new: Side, level: str, name: str | None) -> None:
    bump = bump_of(compare(old, new))
    assert (bump.level, bump.name) == (level, name)


def test_the_terminal_shows_the_first_few_of_each_kind() -> None:
    more = [image(f"{n}\x1b.jpg") for n in range(5)]
    old, new = side(A, cat(), split={"seed": 0}), side(A, cat(12), *more, name="d@new", split={"seed": 7})
    lines = text(compare(old, new)).splitlines()
    assert lines[:2] == [
        "d@old -> d@new", "Proposed: a minor version: other images, or in other splits; other annotations",
    ]  # fmt: skip
    assert [line.split() for line in lines[3:5]] == [["old", "new", "change"], ["images", "1", "6", "+5"]]
    assert lines[lines.index("Images") + 1 :][:5] == [
        "  5 added", "    0?.jpg (train)", "    1?.jpg (train)", "    2?.jpg (train)", "    and 2 more",
    ]  # fmt: skip
    assert "    a.jpg: cat 10 5 30 15 -> cat 12 5 32 15" in lines
    assert lines[-1] == "  split.seed  0 -> 7"
    assert text(compare(old, old)).endswith("The same images, boxes, classes and parameters.")


def test_ten_thousand_images_of_which_every_box_moved_take_seconds() -> None:
    def many(shift: float) -> Side:
        random = np.random.default_rng(0)
        names = np.array([f"{number:05}.jpg" for number in range(10_000)])
        empty = {"width": 640, "height": 480, "sha256": "1", "split": "train", "copy": 0}
        images = {name: [empty.get(name)] * len(names) for name in IMAGES.names} | {"image_id": names}
        corners = random.uniform(0, 400, (70_000, 2))
        corners = np.hstack([corners, corners + random.uniform(20, 80, (70_000, 2))]) + shift
        rows = {name: [None] * 70_000 for name in ANNOTATIONS.names} | {
            "image_id": np.repeat(names, 7),
            "label": random.choice(["cat", "dog", "bird"], 70_000),
            **dict(zip(("xmin", "ymin", "xmax", "ymax"), corners.T, strict=True)),
        }
        return Side("d@x", pa.table(images, schema=IMAGES), pa.table(rows, schema=ANNOTATIONS), {}, {}, 0)

    old, new = many(0), many(1)
    started = time.process_time()
    diff = compare(old, new)
    assert time.process_time() - started < 20, "about 1.4 s; quadratic takes minutes"
    assert len(diff.boxes.moved) + len(diff.boxes.relabelled) + len(diff.boxes.removed) == 70_000
    assert len(diff.boxes.moved) > 69_900


@pytest.fixture
def place(two_versions: Place) -> Place:
    """Not to be changed: take `copy`."""
    return two_versions


@pytest.fixture
def copy(place: Place, tmp_path: Path) -> Place:
    return copied(place, tmp_path / "copy")


def diff_of(place: Place, old: str, new: str) -> dict:
    return json.loads(place.shardsmith("diff", old, new, "--json").stdout)


def spoil_cache(place: Place, file: str) -> None:
    """One byte of a file of the version `two`, as the cache has it."""
    digest = hashlib.md5((place.root / "data/export" / file).read_bytes()).hexdigest()
    path = place.root / ".dvc/cache/files/md5" / digest[:2] / digest[2:]
    data = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


@pytest.mark.slow
@pytest.mark.xdist_group("diff")
class TestRealVersions:
    def test_two_versions(self, place: Place) -> None:
        diff = diff_of(place, "one", "sample@two")
        images, boxes, classes = diff["images"], diff["boxes"], diff["classes"]
        assert (diff["old"], diff["new"], images["total"]) == ("sample@one", "sample@two", [10, 11])
        assert [one["image_id"] for one in images["added"]] == ["10.jpg"]
        assert images["moved"]
        assert not images["changed"]
        assert [pair["new"]["image_id"] for pair in boxes["moved"]] == ["00.jpg"]
        assert [(pair["old"]["label"], pair["new"]["label"]) for pair in boxes["relabelled"]] == [("cat", "bird")]
        assert [one["image_id"] for one in boxes["added"]] == ["10.jpg"]
        assert classes["renamed"] == [{"old": "dog", "new": "hound", "boxes": 5}]
        assert (classes["added"], classes["removed"], classes["ids"]) == (["bird"], [], {})
        assert diff["parameters"] == {"split.era": [1, 2], "split.seed": [0, 7]}
        assert diff["bytes"] == [
            json.loads(place.git("show", f"sample@{name}:data/metrics.json"))["bytes"] for name in ("one", "two")
        ]

    def test_differing_is_no_failure(self, place: Place) -> None:
        done = place.shardsmith("diff", "one", "two")
        assert (done.returncode, done.stderr) == (0, "")
        assert "    dog -> hound (5 boxes)" in done.stdout.splitlines()
        assert place.shardsmith("diff", "two", "two").stdout.endswith("same images, boxes, classes and parameters.\n")

    def test_an_unknown_version_lists_the_known(self, place: Place) -> None:
        done = place.shardsmith("diff", "one", "none", ok=False)
        assert (done.returncode, "the versions are: sample@one, sample@two" in done.stderr) == (1, True)

    def test_the_workspace_is_what_stands_in_the_folder(self, copy: Place) -> None:
        assert not changes_in(diff_of(copy, "two", "workspace"))
        copy.add_image("11", "cat", 11)
        copy.quick_repro()
        assert [one["image_id"] for one in diff_of(copy, "two", "workspace")["images"]["added"]] == ["11.jpg"]
        copy.write("params.yaml", copy.read("params.yaml").replace("seed: 7", "seed: 8"))
        done = copy.shardsmith("diff", "workspace", "two")
        assert "params.yaml: split: changed since data/export was made" in done.stderr
        assert done.stdout.endswith("split.seed  8 -> 7\n")

    def test_a_workspace_without_an_export_is_one_clear_message(self, copy: Place) -> None:
        shutil.rmtree(copy.root / "data/export")
        done = copy.shardsmith("diff", "two", "workspace", ok=False)
        assert done.returncode == 1
        assert "data/export/images.parquet: no such file; `dvc repro` makes it" in done.stderr

    def test_a_clone_asks_the_remote_and_without_it_says_so(self, place: Place, tmp_path: Path) -> None:
        clone = place.clone(tmp_path / "clone")
        assert diff_of(clone, "one", "two") == diff_of(place, "one", "two")
        clone.dvc("remote", "remove", "-q", "store")
        done = clone.shardsmith("diff", "one", "two", ok=False)
        assert done.returncode == 1
        assert "neither in the cache nor in a DVC remote" in done.stderr

    def test_a_damaged_table_in_the_cache_is_not_read(self, copy: Place, place: Place) -> None:
        spoil_cache(copy, "images.parquet")
        assert diff_of(copy, "one", "two") == diff_of(place, "one", "two")  # from the remote
        copy.dvc("remote", "remove", "-q", "store")
        done = copy.shardsmith("diff", "one", "two", ok=False)
        assert (done.returncode, "neither in the cache" in done.stderr) == (1, True)

    def test_a_version_from_before_the_tables(self, copy: Place) -> None:
        listing = json.dumps([{"md5": "0" * 32, "relpath": "tfrecord/README.md"}]).encode()
        digest = hashlib.md5(listing).hexdigest()
        path = copy.root / ".dvc/cache/files/md5" / digest[:2] / f"{digest[2:]}.dir"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(listing)
        export = next(line for line in copy.git("cat-file", "-p", "sample@two").splitlines() if "data/export" in line)
        copy.write("dvc.lock", copy.read("dvc.lock").replace(export.partition(": ")[2], f"{digest}.dir"))
        copy.commit("old")
        copy.git("-c", "user.name=A", "-c", "user.email=a@b", "tag", "-am", "old", "sample@old")
        done = copy.shardsmith("diff", "old", "two", ok=False)
        assert done.returncode == 1
        assert "sample@old: has no data/export/images.parquet: it was recorded before" in done.stderr


def changes_in(diff: dict) -> list[str]:
    """The kinds of which something is listed in a diff's JSON."""
    parts = {**diff["images"], **diff["boxes"], **diff["classes"]}
    totals = ("total", "copies")
    lists = [name for name, value in parts.items() if isinstance(value, list) and value and name not in totals]
    return lists + list(diff["parameters"])
