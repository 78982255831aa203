"""Parts of a version: other formats, some splits, some classes, one zip; from a repository and from a remote alone."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from conftest import image_bytes
from PIL import Image as PilImage
from pycocotools.coco import COCO
from workspaces import BIN, Place, make_workspace

from shardsmith.dataset.archive import opened
from shardsmith.dataset.errors import ParamsError, ShardsmithError, VersionError
from shardsmith.dataset.label_map import LabelMap, read_label_map
from shardsmith.dataset.manifest import Manifest
from shardsmith.download import part as pull_part
from shardsmith.download.pull import WantedPart, pull
from shardsmith.download.selection import choose_part, needed_files
from shardsmith.download.writer import make_part
from shardsmith.formats.losses import fitted
from shardsmith.formats.registry import WRITERS
from shardsmith.formats.shared.ids import image_ids as numbers_of
from shardsmith.formats.shared.job import ExportJob
from shardsmith.formats.tfrecord.features import image_id, parse_features
from shardsmith.formats.tfrecord.frames import read_frames
from shardsmith.pipeline.export import write_tables
from shardsmith.proof.folder import verify_pulled
from shardsmith.store.pulled import hash_files
from shardsmith.store.release import format_release
from shardsmith.workspace import retry
from shardsmith.workspace.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pull")]

CLASSES = ["cat", "dog", "crème brûlée"]
# split -> image -> what is on it: class, box, and what else COCO says
RAW: dict[str, dict[str, list[dict[str, Any]]]] = {
    "train": {
        "a/1.jpg": [{"category_id": 1, "bbox": [2, 3, 10.5, 12], "segmentation": [[2, 3, 12, 3, 12, 15, 2, 15]]}],
        "b/1.jpg": [{"category_id": 1, "bbox": [1, 1, 20, 20], "iscrowd": 1, "area": 77.5}],
        "2.png": [{"category_id": 2, "bbox": [4, 4, 9, 9]}, {"category_id": 1, "bbox": [20, 4, 9, 9]}],
        "3.jpg": [{"category_id": 2, "bbox": [5, 6, 7, 8], "attributes": {"occluded": 1, "colour": "red"}}],
        "4.jpg": [{"category_id": 1, "bbox": [0, 0, 48, 40]}],
        "nothing.jpg": [],
    },
    "valid": {
        "turned round.jpg": [{"category_id": 1, "bbox": [3, 3, 9, 9]}],
        "6.jpg": [{"category_id": 2, "bbox": [3, 3, 9, 9]}],
    },
    "test": {"two words.jpg": [{"category_id": 3, "bbox": [3, 3, 9, 9]}]},
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A workspace with the version `one`, as TFRecord with masks and as VOC, in a DVC remote beside it."""
    folder = tmp_path_factory.mktemp("shared")
    place = make_workspace(folder / "work", folder / "home")
    shutil.rmtree(place.root / "data/raw")
    write_raw(place.root / "data/raw")
    params = place.read("params.yaml")
    for old, new in (
        ("strategy: stable", "strategy: source"),
        ("formats: [tfrecord]", "formats: [voc, tfrecord]"),
        ("masks: false", "masks: true"),
        ("shard_size_mb: 16", "shard_size_mb: 0.005"),
    ):
        assert old in params
        params = params.replace(old, new)
    place.write("params.yaml", params)
    place.add_store(folder / "store")
    place.commit("remote")
    place.quick_build("one")
    return place


def write_raw(raw: Path) -> None:
    seed = 0
    for split, images in RAW.items():
        content: dict[str, list[dict[str, Any]]] = {"images": [], "annotations": []}
        content["categories"] = [{"id": id_, "name": name} for id_, name in enumerate(CLASSES, start=1)]
        for number, (name, entries) in enumerate(images.items(), start=1):
            seed += 1
            path = raw / split / name
            path.parent.mkdir(parents=True, exist_ok=True)
            exif = PilImage.Exif()
            exif[274] = 6 if name.startswith("turned") else 1
            path.write_bytes(image_bytes(48, 40, seed, "PNG" if name.endswith("png") else "JPEG", exif=exif))
            content["images"].append({"id": number, "file_name": f"{split}/{name}", "width": 48, "height": 40})
            for entry in entries:
                content["annotations"].append({"id": len(content["annotations"]) + 1, "image_id": number, **entry})
        (raw / f"instances_{split}.json").write_text(json.dumps(content), encoding="utf-8")


def store(place: Place) -> Path:
    return place.root.parent / "store"


def bring(place: Place, out: Path, alone: bool = False, **wanted: Any) -> dict[str, Any]:
    source = {"remote": str(store(place))} if alone else {"repo": str(place.root)}
    return pull("sample@one", out, print, **source, wanted=WantedPart(**wanted))  # type: ignore[arg-type]


def written(place: Place, format_name: str, out: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What a build would have written of the same version."""
    monkeypatch.chdir(place.root)
    manifest, writer = Manifest.read(Path("data/augment")), WRITERS[format_name]
    label_map = read_label_map(Path("data/label_map.pbtxt"))
    writer.write(ExportJob(fitted(manifest, writer.carries), label_map, numbers=numbers_of(manifest.images)), out)
    return {file: md5 for file, md5 in hash_files(out).items() if file != "README.md"}  # a card's head


def records(folder: Path) -> dict[str, list[str]]:
    """image_id -> the classes of its objects."""
    frames = [data for shard in sorted(folder.glob("*.tfrecord-*")) for data, _ in read_frames(shard)]
    features = [parse_features(data) for data in frames]
    texts = "image/object/class/text"
    return {image_id(one): [text.decode() for text in one[texts].bytes_list.value] for one in features}


def states(folder: Path, workspace: Workspace | None = None) -> list[str]:
    return [check.state for check in verify_pulled(folder, workspace)[1]]


def ids(split: str) -> set[str]:
    return {f"{split}/{name}" for name in RAW[split]}


@pytest.mark.parametrize("wanted", [{}, {"format": "coco", "splits": ("train",)}, {"zipped": True}])
def test_its_page_comes_too_where_it_is_asked_for(shared: Place, tmp_path: Path, wanted: dict[str, Any]) -> None:
    page = shared.read("data/report/index.html")
    for alone in (False, True):
        out = tmp_path / f"out{alone}"
        record = bring(shared, out, alone, page=True, **wanted)
        place = out.with_suffix(".zip") if wanted.get("zipped") else out
        with opened(place) as folder:
            brought = (folder / "page.html").read_text(encoding="utf-8")
        assert "<h1><bdi>sample@one</bdi></h1>" in brought and record["commit"][:9] in brought
        assert "pull sample@one --out sample-one" in brought
        assert brought[-2000:] == page[-2000:]
        assert "page.html" in record["files"]
        assert "DAMAGED" not in states(place)
        assert bring(shared, out, alone, page=True, **wanted) == record
        with pytest.raises(VersionError, match="holds something else"):
            bring(shared, out, alone, **wanted)


def test_a_version_without_a_page_says_so(shared: Place, tmp_path: Path) -> None:
    shutil.copytree(store(shared), tmp_path / "store")
    manifest = tmp_path / "store/versions/sample@one.json"
    content = {key: value for key, value in json.loads(manifest.read_text()).items() if key not in ("schema", "digest")}
    manifest.write_bytes(format_release(content | {"page": None}))
    with pytest.raises(VersionError, match="has no page"):
        pull("sample@one", tmp_path / "out", print, remote=str(tmp_path / "store"), wanted=WantedPart(page=True))


@pytest.mark.parametrize(
    "name", [name for name in WRITERS if name not in ("array_record", "tfrecord", "ultralytics_pose", "voc")]
)
def test_another_format_has_the_bytes_that_a_build_would_have_written(
    shared: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    record = bring(shared, tmp_path / "out", format=name)
    made = {file: md5 for file, md5 in hash_files(tmp_path / "out" / name).items() if file != "README.md"}
    assert made == written(shared, name, tmp_path / "direct", monkeypatch)
    assert record["part"] == {"format": name, "splits": [], "classes": []}
    assert (record["images"], record["boxes"]) == (9, 9)
    assert (tmp_path / "out/label_map.pbtxt").read_text() == shared.read("data/label_map.pbtxt")
    assert "- Source: a part of sample@one: " in (tmp_path / f"out/{name}/README.md").read_text()
    assert states(tmp_path / "out") == ["ok", "ok", "not here"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["direct", "out"]


def test_coco_has_polygons_crowds_and_attributes(shared: Place, tmp_path: Path) -> None:
    bring(shared, tmp_path / "out", format="coco")
    coco = COCO(str(tmp_path / "out/coco/annotations/instances_train.json"))
    assert {category["name"]: category["id"] for category in coco.loadCats(coco.getCatIds())} == {
        name: id_ for id_, name in enumerate(CLASSES, start=1)
    }
    entries = coco.loadAnns(coco.getAnnIds())
    assert sorted(entry["bbox"] for entry in entries) == sorted(
        entry["bbox"] for entries in RAW["train"].values() for entry in entries
    )
    assert [entry["area"] for entry in entries if entry["iscrowd"]] == [77.5]
    assert [entry["attributes"] for entry in entries if "attributes" in entry] == [{"occluded": 1, "colour": "red"}]
    assert [entry["segmentation"] for entry in entries if entry["segmentation"]] == [[[2, 3, 12, 3, 12, 15, 2, 15]]]


def test_what_a_format_cannot_carry_is_said(shared: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = bring(shared, tmp_path / "out", format="tfod_csv")
    assert {"1 crowd", "1 outlines", "1 negatives"} <= set(record["not_carried"])
    assert "tfod_csv: 1 crowd" in capsys.readouterr().out
    assert "1 crowd" in (tmp_path / "out/tfod_csv/README.md").read_text()


def test_a_stored_format_comes_as_it_is_stored(shared: Place, tmp_path: Path) -> None:
    bring(shared, tmp_path / "out", format="voc")
    assert hash_files(tmp_path / "out/voc") == hash_files(shared.root / "data/export/voc")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "VERSION.json", "annotations.parquet", "images.parquet", "label_map.pbtxt", "voc",
    ]  # fmt: skip


def test_shards_of_a_split_are_those_of_the_version(shared: Place, tmp_path: Path) -> None:
    record = bring(shared, tmp_path / "out", splits=("train",))
    stored = shared.root / "data/export/tfrecord"
    shards = {path.name: path.read_bytes() for path in stored.glob("*-train.tfrecord-*")}
    assert len(shards) > 1
    assert {path.name: path.read_bytes() for path in (tmp_path / "out/tfrecord").glob("*.tfrecord-*")} == shards
    assert (record["images"], record["boxes"]) == (6, 6)
    assert {*pq.read_table(tmp_path / "out/images.parquet")["image_id"].to_pylist()} == ids("train")
    assert states(tmp_path / "out") == ["ok", "ok", "ok"]


def test_tfds_loads_a_part(shared: Place, tmp_path: Path) -> None:
    bring(shared, tmp_path / "splits", splits=("train", "test"))
    bring(shared, tmp_path / "classes", splits=("train",), classes=("dog",))
    code = (
        "import sys, tensorflow_datasets as tfds\n"
        "for folder in sys.argv[1:]:\n"
        "    builder = tfds.builder_from_directory(f'{folder}/tfrecord')\n"
        "    label = builder.info.features['image']['object']['class']['label'].feature\n"
        "    for split in sorted(builder.info.splits):\n"
        "        rows = list(builder.as_dataset(split=split).as_numpy_iterator())\n"
        "        classes = [label.int2str(i) for row in rows for i in row['image']['object']['class']['label']]\n"
        "        print(split, len(rows), sorted(classes))\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "splits"), str(tmp_path / "classes")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"TF_CPP_MIN_LOG_LEVEL": "3"})
    assert done.stdout.splitlines() == [
        "test 1 ['crème brûlée']",
        "train 6 ['cat', 'cat', 'cat', 'cat', 'dog', 'dog']",
        "train 2 ['dog', 'dog']",
    ]


def test_classes_leave_their_images_and_objects_alone(shared: Place, tmp_path: Path) -> None:
    record = bring(shared, tmp_path / "out", classes=("dog", "crème brûlée"))
    assert records(tmp_path / "out/tfrecord") == {
        "train/2.png": ["dog"], "train/3.jpg": ["dog"], "valid/6.jpg": ["dog"], "test/two words.jpg": ["crème brûlée"],
    }  # fmt: skip
    assert (record["images"], record["boxes"]) == (4, 4)
    assert (tmp_path / "out/tfrecord/label_map.pbtxt").read_text() == shared.read("data/label_map.pbtxt")
    assert "image/object/mask" in str(parse_features(next(frames(tmp_path / "out/tfrecord"))))
    assert {*pq.read_table(tmp_path / "out/annotations.parquet")["label"].to_pylist()} == {"dog", "crème brûlée"}
    assert states(tmp_path / "out") == ["ok", "ok", "ok"]


def frames(folder: Path) -> Any:
    return (data for shard in sorted(folder.glob("*.tfrecord-*")) for data, _ in read_frames(shard))


def test_an_image_that_lost_nothing_has_the_record_that_it_had(shared: Place, tmp_path: Path) -> None:
    bring(shared, tmp_path / "out", splits=("train",), classes=("cat",))
    stored = set(frames(shared.root / "data/export/tfrecord"))
    came = {image_id(parse_features(data)): data in stored for data in frames(tmp_path / "out/tfrecord")}
    assert came == {"train/a/1.jpg": True, "train/b/1.jpg": True, "train/4.jpg": True, "train/2.png": False}


@pytest.mark.parametrize(
    ("wanted", "error", "says"),
    [
        ({"format": "tiger"}, ParamsError, "--format tiger: no such format; allowed: array_record, class_folders,"),
        ({"format": "labelbox"}, ParamsError, "--format labelbox: is read, not written; allowed: "),
        ({"classes": ("cat", "tiger")}, ParamsError, "--class tiger: no such class; allowed: cat, dog, crème"),
        ({"classes": ("dog",), "splits": ("test",)}, VersionError, "no image is left; the version's images: "),
    ],
)
def test_what_cannot_be_had_is_said_and_leaves_nothing(
    shared: Place, tmp_path: Path, wanted: dict[str, Any], error: type[ShardsmithError], says: str
) -> None:
    with pytest.raises(error, match=says):
        bring(shared, tmp_path / "out", **wanted)
    assert list(tmp_path.iterdir()) == []


def test_the_same_part_again_copies_nothing(shared: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = bring(shared, tmp_path / "out", format="coco", splits=("train", "valid"))
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    assert bring(shared, tmp_path / "out", format="coco", splits=("valid", "train", "train")) == first
    assert "already holds sample@one" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == times


@pytest.mark.parametrize(
    "other", [{}, {"format": "voc"}, {"splits": ("train",)}, {"splits": ("train",), "classes": ("cat",)}]
)
def test_another_part_is_refused_without_force(shared: Place, tmp_path: Path, other: dict[str, Any]) -> None:
    bring(shared, tmp_path / "out", splits=("valid",))
    with pytest.raises(VersionError, match="holds something else than sample@one"):
        bring(shared, tmp_path / "out", **other)
    pull("sample@one", tmp_path / "out", print, repo=str(shared.root), force=True, wanted=WantedPart(**other))
    assert states(tmp_path / "out")[:2] == ["ok", "ok"]


def test_a_part_of_another_version_is_refused_without_force(shared: Place, tmp_path: Path) -> None:
    bring(shared, tmp_path / "out", format="coco")
    path = tmp_path / "out/VERSION.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"commit": "0" * 40}))
    with pytest.raises(VersionError, match="holds something else than sample@one"):
        bring(shared, tmp_path / "out", format="coco")


@pytest.mark.parametrize(
    ("wanted", "file"), [({"splits": ("train",)}, "tfrecord/*.tfrecord-*"), ({"format": "coco"}, "coco/train/*.jpg")]
)
def test_a_flipped_byte_of_a_part_is_found(shared: Place, tmp_path: Path, wanted: dict[str, Any], file: str) -> None:
    bring(shared, tmp_path / "out", **wanted)
    path = sorted((tmp_path / "out").glob(file))[0]
    data = path.read_bytes()
    path.write_bytes(data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])
    assert states(tmp_path / "out")[0] == "DAMAGED"
    with pytest.raises(VersionError, match="holds something else"):
        bring(shared, tmp_path / "out", **wanted)


def test_a_part_that_forges_its_own_list_differs_from_the_version(shared: Place, tmp_path: Path) -> None:
    """VERSION.json lists what is there; the version's own list does not."""
    bring(shared, tmp_path / "out", splits=("train",))
    shards = sorted((tmp_path / "out/tfrecord").glob("*.tfrecord-*"))
    shards[0].write_bytes(b"")
    record = json.loads((tmp_path / "out/VERSION.json").read_text())
    record["files"] = hash_files(tmp_path / "out")
    (tmp_path / "out/VERSION.json").write_text(json.dumps(record))
    assert states(tmp_path / "out", Workspace(shared.root))[:2] == ["ok", "DAMAGED"]


@pytest.mark.parametrize("wanted", [{}, {"format": "coco", "classes": ("cat",)}, {"splits": ("train",)}])
def test_a_zip_has_the_same_bytes_each_time_and_each_way(shared: Place, tmp_path: Path, wanted: dict[str, Any]) -> None:
    for name, alone in (("one", False), ("two", True)):
        bring(shared, tmp_path / name, alone, zipped=True, **wanted)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.zip", "two.zip"]
    with zipfile.ZipFile(tmp_path / "one.zip") as packed:
        assert packed.testzip() is None
        names, readme = packed.namelist(), packed.read("README.md").decode()
        times = {entry.date_time for entry in packed.infolist()}
    assert names == sorted(names)
    assert times == {(1980, 1, 1, 0, 0, 0)}
    assert {"README.md", "VERSION.json"} < {*names}
    assert any(name.endswith("label_map.pbtxt") for name in names)
    assert readme.startswith("# sample@one\n\nVersion one of the dataset sample, recorded 20")
    assert states(tmp_path / "one.zip")[:2] == ["ok", "ok"]


def test_a_zip_that_is_there_is_left_alone_or_refused(shared: Place, tmp_path: Path) -> None:
    out = tmp_path / "v1.zip"
    first = bring(shared, out, zipped=True)
    before = out.stat().st_mtime_ns
    assert bring(shared, tmp_path / "v1", zipped=True) == first
    assert out.stat().st_mtime_ns == before
    with pytest.raises(VersionError, match=r"v1\.zip: holds something else than sample@one"):
        bring(shared, out, zipped=True, splits=("train",))
    data = out.read_bytes()
    out.write_bytes(data[:200] + bytes([data[200] ^ 1]) + data[201:])
    with pytest.raises(VersionError, match=r"v1\.zip: holds something else than sample@one"):
        bring(shared, out, zipped=True)


def test_the_remote_alone_gives_the_same_part(shared: Place, tmp_path: Path) -> None:
    """As in a container that has the bucket and nothing else: no workspace, no git."""
    bring(shared, tmp_path / "here", format="coco", splits=("train",), classes=("dog",))
    command = [str(BIN / "shardsmith"), "pull", "one", "--remote", str(store(shared)), "--out", "alone"]
    command += ["--format", "coco", "--split", "train", "--class", "dog"]
    env = {"PATH": str(tmp_path), "HOME": str(tmp_path), "PYTHONPATH": ""}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "sample@one (coco, train, dog): 2 images and 2 boxes, 7 files in alone\n"
    for file in (*hash_files(tmp_path / "here"), "VERSION.json"):
        assert (tmp_path / "alone" / file).read_bytes() == (tmp_path / "here" / file).read_bytes()


def test_a_damaged_object_leaves_what_came_and_is_fetched_again(
    shared: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "TRIES", 1)
    shutil.copytree(store(shared), tmp_path / "store")
    md5 = hashlib.md5(sorted((shared.root / "data/export/tfrecord").glob("*-train*"))[0].read_bytes()).hexdigest()
    held = tmp_path / "store/files/md5" / md5[:2] / md5[2:]
    data = held.read_bytes()
    held.chmod(0o644)
    held.write_bytes(data[:-1])

    def again() -> dict[str, Any]:
        return pull("one", tmp_path / "out", print, remote=str(tmp_path / "store"), wanted=WantedPart("coco"))

    with pytest.raises(VersionError, match="what came is not what was recorded"):
        again()
    assert not (tmp_path / "out").exists()
    held.write_bytes(data)
    assert again()["images"] == 9
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "store"]


@pytest.mark.parametrize("zipped", [False, True])
def test_an_interruption_leaves_nothing_in_place(
    shared: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zipped: bool
) -> None:
    def interrupted(*arguments: Any) -> None:
        make_part(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(pull_part, "make_part", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bring(shared, tmp_path / "out", format="coco", zipped=zipped)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def exported(shared: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """The files of a version of one format, as they are fetched; `tables` as newer versions have them."""

    def make(name: str, tables: bool) -> Path:
        monkeypatch.chdir(shared.root)
        manifest, writer = Manifest.read(Path("data/augment")), WRITERS[name]
        job = ExportJob(fitted(manifest, writer.carries), read_label_map(Path("data/label_map.pbtxt")))
        writer.write(job, tmp_path / "stored" / name)
        if tables:
            write_tables(manifest, tmp_path / "stored")
        return tmp_path / "stored"

    return make


def make(stored: Path, tmp_path: Path, format_name: str, **wanted: Any) -> tuple[int, int, list[str]]:
    files = [path.relative_to(stored).as_posix() for path in stored.rglob("*") if path.is_file()]
    part = choose_part(files, format_name, wanted.get("splits", ()), wanted.get("classes", ()), "masks" in wanted)
    label_map = LabelMap("sample", {name: id_ for id_, name in enumerate(CLASSES, start=1)})
    made = make_part(stored, part, label_map, "sample@one", tmp_path / "work", tmp_path / "out")
    return made.images, made.boxes, [loss.value for loss in made.losses]


@pytest.mark.parametrize(
    "origin", ["coco", "voc", "ultralytics", "yolo_keras", "retinanet_csv", "huggingface", "webdataset"]
)
def test_a_version_without_tfrecord_is_made_of_its_files(
    exported: Callable[..., Path], shared: Place, tmp_path: Path, origin: str
) -> None:
    assert make(exported(origin, True), tmp_path, "tfrecord")[:2] == (9, 9)
    came, stored = records(tmp_path / "out/tfrecord"), records(shared.root / "data/export/tfrecord")
    assert came == stored


def test_masks_are_made_of_a_version_that_has_none(exported: Callable[..., Path], tmp_path: Path) -> None:
    make(exported("coco", True), tmp_path, "voc", masks=True)
    assert len(list((tmp_path / "out/voc").glob("Segmentation*/*.png"))) == 4  # an outline, a negative


def test_only_images_of_the_splits_are_fetched() -> None:
    files = ["images.parquet", "annotations.parquet", "coco/annotations/instances_test.json", "coco/README.md"]
    images = ["coco/test/a.jpg", "coco/train/b.jpg"]
    part = choose_part([*files, *images], "voc", ["test"], [])
    assert needed_files([*files, *images], part) == ["coco/README.md", "coco/test/a.jpg"]


def test_class_folders_lack_images_and_it_is_said(exported: Callable[..., Path], tmp_path: Path) -> None:
    images, _, losses = make(exported("class_folders", True), tmp_path, "coco")
    assert images == 7  # one is of two classes, one of none
    assert "2 images" in losses


@pytest.mark.parametrize("origin", ["coco", "tfrecord"])
def test_a_version_without_tables_is_read_by_its_format(
    exported: Callable[..., Path], tmp_path: Path, origin: str
) -> None:
    assert make(exported(origin, False), tmp_path, "voc", splits=("train",), classes=("dog",))[:2] == (2, 2)
    texts = [path.read_text() for path in (tmp_path / "out/voc/Annotations").iterdir()]
    assert [text.count("<object>") for text in texts] == [1, 1]
