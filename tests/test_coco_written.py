"""COCO as it is written: ids of classes, images and annotations, and what the source says of the whole dataset."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from conftest import box, image_bytes, make_image, make_manifest
from staged import run_stages
from test_coco import ENTRY, with_annotations
from test_formats import COCO, raw_folder, read

from shardsmith.conversion.convert import convert
from shardsmith.dataset.errors import StageError
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import Annotation, Image, Manifest
from shardsmith.formats.coco import format as coco
from shardsmith.formats.registry import WRITERS
from shardsmith.formats.shared import ids
from shardsmith.formats.shared.facts import chosen, merged, readme_facts, yaml_facts
from shardsmith.formats.shared.job import ExportJob
from shardsmith.pipeline.ingest import read_raw
from shardsmith.pipeline.params import IngestParams

README = """# Hard Hats > raw
https://universe.roboflow.com/hats

Provided by a Roboflow user
License: Public Domain

# Overview
Hats, seen from above.
"""


def image_ids(images: list[Image]) -> dict[str, int]:
    return ids.image_ids(Manifest.of(images, []).images)


def image(image_id: str, source_id: str | None = None, parent_id: str | None = None) -> Image:
    return Image(image_id, "", "", 32, 24, "jpeg", source_id=source_id, parent_id=parent_id)


def row(image_id: str, key: str | None, source: str | None = None) -> Annotation:
    return Annotation(image_id, "cat", 1, 2, 3, 4, source_image=source or image_id, source_key=key)


def written(folder: Path) -> dict[str, dict[str, Any]]:
    """Split -> its file."""
    files = sorted((folder / "annotations").glob("*.json"))
    return {file.stem.removeprefix("instances_"): json.loads(file.read_text()) for file in files}


# --- ids


def test_class_image_and_annotation_ids_of_coco_come_back(tmp_path: Path) -> None:
    categories = [{"id": id_, "name": name} for id_, name in ((1, "person"), (3, "car"), (18, "dog"), (44, "bottle"))]
    images = [{"id": 397133, "file_name": "a.jpg"}, {"id": 37777, "file_name": "b.jpg"}]
    boxes = [
        {"id": 82445 + n, "image_id": images[n % 2]["id"], "category_id": each["id"], "bbox": [n, 1, 9, 9]}
        for n, each in enumerate(categories)
    ]
    source = tmp_path / "source"
    source.mkdir()
    for number, name in enumerate("ab"):
        (source / f"{name}.jpg").write_bytes(image_bytes(seed=number))
    (source / "l.json").write_text(with_annotations(*boxes, images=images, categories=categories))
    convert(source, "coco", tmp_path / "out")
    content = json.loads((tmp_path / "out/annotations/instances.json").read_text())
    assert {each["name"]: each["id"] for each in content["categories"]} == {
        "person": 1, "car": 3, "dog": 18, "bottle": 44,
    }  # fmt: skip
    assert {each["file_name"]: each["id"] for each in content["images"]} == {"a.jpg": 397133, "b.jpg": 37777}
    told = {(each["id"], each["image_id"], each["category_id"]) for each in content["annotations"]}
    assert told == {(each["id"], each["image_id"], each["category_id"]) for each in boxes}


@pytest.mark.parametrize(
    ("images", "kept"),
    [
        ([image("a", "7"), image("b", "0")], {"a": 7, "b": 0}),
        ([image("a", "7"), image("b", "7"), image("c", "8")], {"c": 8}),  # ids of two splits that both begin at 0
        ([image("a", "x7"), image("b", "07"), image("c", None), image("d", "-1")], {}),
        ([image("a", "7"), image("a#1", "7", "a")], {"a": 7}),  # a copy has one of its own
    ],
)
def test_image_ids_are_kept_where_they_are_whole_and_used_once(images: list[Image], kept: dict[str, int]) -> None:
    given = image_ids(images)
    assert given.keys() == {each.image_id for each in images}
    made = {name: id_ for name, id_ in given.items() if name not in kept}
    assert {name: given[name] for name in kept} == kept
    assert all(2**20 < id_ < 2**52 for id_ in made.values())
    assert made == {name: image_ids([image(name)])[name] for name in made}  # of what they are for, and of no other


@pytest.mark.parametrize(
    ("rows", "kept"),
    [
        ([row("a", "7"), row("b", "8")], [7, 8]),
        ([row("a", "7"), row("b", "7")], [None, None]),
        ([row("a", "0"), row("a", "n1")], [None, None]),  # pycocotools counts id 0 as never found
        ([row("a", "7"), row("a#1", "7", "a"), row("a#1", "7", "a")], [7, None, None]),  # in a mosaic twice
    ],
)
def test_annotation_ids_are_kept_where_they_are_whole_and_used_once(rows: list, kept: list) -> None:
    given = ids.annotation_ids(rows)
    assert len(set(given)) == len(rows)
    assert [id_ if id_ < 2**20 else None for id_ in given] == kept
    assert ids.annotation_ids([*rows, row("z", "99")])[:-1] == given


def test_two_that_come_to_one_id_are_an_error() -> None:
    made = image_ids([image("a")])["a"]
    with pytest.raises(StageError, match=f"image b and image a both come to the id {made}"):
        image_ids([image("b", str(made)), image("a")])


def test_ids_are_unique_over_splits(tmp_path: Path) -> None:
    rows = [make_image(tmp_path / "in", f"{split}.jpg", split=split, source_id="0") for split in ("train", "valid")]
    boxes = [box(f"{split}.jpg", source_image=f"{split}.jpg", source_key="3") for split in ("train", "valid")]
    coco.write(ExportJob(make_manifest(*rows, *boxes), LabelMap("d", {"cat": 1})), tmp_path / "out")
    train, valid = written(tmp_path / "out").values()
    for key in ("images", "annotations"):
        assert train[key][0]["id"] != valid[key][0]["id"]
    assert train["annotations"][0]["image_id"] == train["images"][0]["id"]


# --- facts


@pytest.mark.parametrize(
    ("info", "licenses", "images", "facts"),
    [
        ({"description": " Cats ", "url": "http://x", "year": 2020, "contributor": "", "version": None}, [], [{}],
         {"description": "Cats", "homepage": "http://x", "year": "2020"}),
        ({}, [{"id": 1, "name": "MIT"}, {"id": 2, "name": "CC", "url": "http://c"}], [{"license": 2}],
         {"license": "CC (http://c)"}),
        ({}, [{"id": 1, "name": "MIT"}, {"id": 2, "name": "CC"}], [{}], {"license": "MIT; CC"}),
        ({}, [{"id": 1, "name": "MIT"}, {"id": "2", "name": "CC"}], [{"license": 2}, {"license": 1}],
         {"license": "CC: 1 image; MIT: 1 image"}),
        ([], [None, 7, {"id": 1}], [{"license": [1]}], {}),
    ],
)  # fmt: skip
def test_what_coco_says_of_the_dataset(tmp_path: Path, info: Any, licenses: list, images: list, facts: dict) -> None:
    listed = [{**COCO["images"][0], "id": 7 + n, "file_name": f"{n}.jpg", **more} for n, more in enumerate(images)]
    text = with_annotations(ENTRY, images=listed, info=info, licenses=licenses)
    source = read(tmp_path, {f"{n}.jpg": image_bytes(seed=n) for n in range(len(images))} | {"l.json": text})
    assert source.facts == facts
    assert source.findings == []


def test_what_a_source_says_of_an_image_is_written_back(tmp_path: Path) -> None:
    said = {"date_captured": "2020", "license": 2, "extra": {"name": "x", "user_tags": ["t"]}}
    images = [{**COCO["images"][0], **said, "flickr_url": "", "neg_category_ids": [1]}, {"id": 8, "file_name": "b.jpg"}]
    text = with_annotations(ENTRY, images=images, licenses=[{"id": 2, "name": "CC", "url": "http://c"}])
    raw_folder(tmp_path / "raw", {"a.jpg": image_bytes(), "b.jpg": image_bytes(seed=1), "l.json": text})
    done = convert(tmp_path / "raw", "coco", tmp_path / "out")
    (content,) = written(tmp_path / "out").values()
    assert [one.value for one in done.findings if one.code == "metadata-not-carried"] == [
        "neg_category_ids of images (1)"
    ]
    assert content["licenses"] == [{"id": 1, "name": "CC", "url": "http://c"}]
    assert content["images"][0].items() >= {**said, "license": 1}.items()


def test_roboflow_says_more_beside_the_annotations() -> None:
    assert readme_facts(README) == {
        "title": "Hard Hats > raw", "homepage": "https://universe.roboflow.com/hats",
        "contributor": "a Roboflow user", "license": "Public Domain",
        "description": "# Overview Hats, seen from above.",
    }  # fmt: skip
    text = "names: [a]\nroboflow: {license: CC BY 4.0, url: 'https://x', version: 2, workspace: w}"
    assert yaml_facts(text) == {"homepage": "https://x", "license": "CC BY 4.0", "version": "2"}
    assert yaml_facts("license: MIT\nroboflow: 3") == {"license": "MIT"}
    assert [yaml_facts(text) for text in ("", "roboflow: [1]", "{", "[a]")] == [{}] * 4


def test_facts_of_two_sources_stand_both() -> None:
    assert merged({"license": "MIT", "a": "b"}, {"license": "CC", "a": "b"}) == {"license": "MIT; CC", "a": "b"}
    assert merged(merged({"license": "MIT"}, {"license": "CC"}), {"license": "CC"}) == {"license": "MIT; CC"}


def test_params_come_before_the_source() -> None:
    wanted = {"license": "mine", "citation": ""}
    assert chosen({"year": "2020", "citation": "C", "license": "MIT"}, wanted) == {
        "license": "mine", "citation": "C", "year": "2020",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("to", "file", "pattern"),
    [
        ("tfrecord", "dataset_info.json", r'"citation": "C".*Cats\\nMade.*"http://x".*"license": "MIT"'),
        ("ultralytics", "data.yaml", r'description: "Cats"\nlicense: "MIT"\ncitation: "C"\nhomepage: "http://x"'),
        ("voc", "Annotations/a.xml", r"<source><database>http://x</database><license>MIT</license></source>"),
    ],
)
def test_facts_stand_in_every_format_with_a_place_for_them(tmp_path: Path, to: str, file: str, pattern: str) -> None:
    rows = [make_image(tmp_path / "in", "a.jpg", split="train"), box("a.jpg")]
    facts = {"description": "Cats", "license": "MIT", "citation": "C", "homepage": "http://x"}
    WRITERS[to].write(ExportJob(make_manifest(*rows), LabelMap("d", {"cat": 1}), facts=facts), tmp_path / "out")
    assert re.search(pattern, (tmp_path / "out" / file).read_text(), re.DOTALL)


def test_facts_and_tags_come_back_from_what_is_written(tmp_path: Path) -> None:
    facts = {"description": "Cats", "license": "CC BY (http://c)", "homepage": "http://x", "year": "2020"}
    rows = [make_image(tmp_path / "in", "a.jpg", split="train", tags=["dusk"]), box("a.jpg")]
    coco.write(ExportJob(make_manifest(*rows), LabelMap("d", {"cat": 1}), facts=facts), tmp_path / "out")
    content = written(tmp_path / "out")["train"]
    assert content["licenses"] == [{"id": 1, "name": "CC BY", "url": "http://c"}]
    source = read(tmp_path / "out", {})
    assert (source.facts, source.findings) == (facts, [])
    assert source.entries["train/a.jpg"].tags == ["dusk"]


def test_a_build_carries_facts_to_every_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = tmp_path / "data/raw"
    raw.mkdir(parents=True)
    (raw / "a.jpg").write_bytes(image_bytes(64, 48))
    info = {"description": "Cats", "url": "http://x"}
    (raw / "l.json").write_text(with_annotations(ENTRY, info=info, licenses=[{"id": 1, "name": "MIT"}]))
    (raw / "README.dataset.txt").write_text(README)
    monkeypatch.chdir(tmp_path)
    run_stages("dataset: {license: mine}\nexport: {formats: [coco, voc]}")
    about = json.loads(Path("data/ingest/source.json").read_text())["facts"]
    assert about["license"] == "Public Domain; MIT"
    (content,) = written(Path("data/export/coco")).values()
    info = content["info"]
    assert (info["url"], info["see_also"]) == ("https://universe.roboflow.com/hats", "http://x")
    assert content["licenses"] == [{"id": 1, "name": "mine", "url": ""}]
    for name in ("coco", "voc"):
        text = Path(f"data/export/{name}/README.md").read_text()
        assert "- Licence: mine\n" in text and "Hats, seen from above.; Cats" in text
    assert content["images"][0]["id"] == 7


def test_a_conversion_says_the_facts(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.jpg").write_bytes(image_bytes())
    (source / "l.json").write_text(with_annotations(ENTRY, licenses=[{"id": 1, "name": "MIT"}]))
    convert(source, "voc", tmp_path / "out")
    assert "- Licence: MIT\n" in (tmp_path / "out/README.md").read_text()


def test_roboflow_has_a_file_beside_the_images_and_the_group_as_category_0(tmp_path: Path) -> None:
    rows = [make_image(tmp_path / "in", f"{split}.jpg", split=split) for split in ("train", "test")]
    manifest = make_manifest(*rows, box("train.jpg", "dog"), box("test.jpg", "animals"))
    job = ExportJob(manifest, LabelMap("d", {"animals": 1, "dog": 3}), facts={"annotation_group": "animals"})
    WRITERS["roboflow_coco"].write(job, tmp_path / "out")
    content = json.loads((tmp_path / "out/train/_annotations.coco.json").read_text())
    assert [(one["id"], one["name"], one["supercategory"]) for one in content["categories"]] == [
        (0, "animals_", "none"), (1, "animals", "animals_"), (2, "unused-2", "animals_"), (3, "dog", "animals_"),
    ]  # fmt: skip
    assert (tmp_path / "out/train" / content["images"][0]["file_name"]).is_file()
    _, source, _ = read_raw(tmp_path / "out", IngestParams())
    assert sorted((row.label, row.image_id) for row in source.annotations) == [
        ("animals", "test/test.jpg"), ("dog", "train/train.jpg"),
    ]  # fmt: skip
