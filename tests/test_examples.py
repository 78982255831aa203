"""The params of examples/, each built on the sample as someone who copies it does."""

from __future__ import annotations

import importlib
import shlex
import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest
from docs_commands import commands_in
from PIL import Image as PilImage
from ruamel.yaml import YAML
from test_classification import in_tfds
from workspaces import ROOT, Place, make_workspace

from shardsmith.cli.main import make_parser
from shardsmith.dataset.findings import Finding
from shardsmith.dataset.manifest import Annotation, Image, Manifest
from shardsmith.pipeline.params import load_params
from shardsmith.pipeline.stage import read_stage
from shardsmith.sample.writer import write_sample
from shardsmith.transforms.catalogue import AUGMENT, PREPROCESS, build_steps

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("examples")]

EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*.yaml"))
TILED = "small-objects at 256"  # the sample's images are smaller than a tile of 640
BY_DVC = "detector-640"
BUILDS = [BY_DVC, "classification", "small-objects", TILED]  # the others are built in test_examples_shapes.py
SIDE_PX = {"classification": 224, "detector-640": 640, "small-objects": 640, TILED: 256}
# splits -> (fewest, most) images; the sample has 42, 11 and 7
PLAUSIBLE = {
    "classification": {"train": (520, 620), "valid": (64, 64), "test": (38, 38)},
    "detector-640": {"train": (126, 126), "valid": (11, 11), "test": (7, 7)},
    "small-objects": {"train": (80, 84), "valid": (11, 11), "test": (6, 7)},
    TILED: {"train": (450, 530), "valid": (55, 65), "test": (35, 45)},
}


def example(name: str) -> str:
    text = (ROOT / f"examples/{name.partition(' ')[0]}.yaml").read_text()
    return text.replace("640", "256") if name == TILED else text


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Place]:
    """A folder for each example, built: one by DVC in a workspace, the others by the commands of dvc.yaml, here."""
    raw = tmp_path_factory.mktemp("sample") / "raw"
    write_sample(raw)
    whole = make_workspace(tmp_path_factory.mktemp("example"), tmp_path_factory.mktemp("home"))
    found = {name: Place(tmp_path_factory.mktemp("example"), whole.env) for name in BUILDS} | {BY_DVC: whole}
    for name, place in found.items():
        shutil.rmtree(place.root / "data/raw", ignore_errors=True)
        shutil.copytree(raw, place.root / "data/raw")
        shutil.copy2(ROOT / "dvc.yaml", place.root / "dvc.yaml")
        place.write("params.yaml", example(name))
        place.quick_repro() if place is whole else run_stages(place)
    return found


def run_stages(place: Place) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place.root)
        patch.setenv("SHARDSMITH_WORKERS", "1")
        for name, stage in YAML(typ="safe", pure=True).load(place.read("dvc.yaml"))["stages"].items():
            importlib.import_module(f"stages.{name}").main(*map(Path, shlex.split(stage["cmd"])[2:]))


@pytest.fixture(params=BUILDS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def place(name: str, places: dict[str, Place]) -> Place:
    return places[name]


def stage_of(place: Place, stage: str = "augment") -> tuple[Manifest, list[Finding]]:
    return read_stage(place.root / "data" / stage)


def codes(findings: Iterable[Finding]) -> Counter[str]:
    return Counter(finding.code for finding in findings)


def pairs(manifest: Manifest) -> list[tuple[Image, list[Annotation]]]:
    return [(image, list(annotations)) for image, annotations in manifest.pairs()]


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_key_stands_in_it(example: str) -> None:
    """So that it shows all that can be changed, and none was lost in params.yaml since."""
    load = YAML(typ="safe", pure=True).load
    ours, given = load(ROOT / f"examples/{example}.yaml"), load(ROOT / "params.yaml")
    assert {block: set(ours[block]) for block in ours} == {block: set(given[block]) for block in given}
    load_params(ROOT / f"examples/{example}.yaml")


def test_the_readme_names_every_example_and_its_commands_work() -> None:
    text = (ROOT / "examples/README.md").read_text()
    assert all(f"[{example}.yaml]({example}.yaml)" in text for example in EXAMPLES)
    assert commands_in("examples/README.md")
    for command in commands_in("examples/README.md"):
        make_parser().parse_args(shlex.split(command)[1:])


def test_counts_are_plausible(name: str, place: Place) -> None:
    counts = Counter(image.split for image in stage_of(place)[0].image_rows())
    assert all(low <= counts[split] <= high for split, (low, high) in PLAUSIBLE[name].items()), counts


def test_every_image_has_the_size_and_only_train_has_copies(name: str, place: Place) -> None:
    for image in stage_of(place)[0].image_rows():
        assert (image.width, image.height) == (SIDE_PX[name], SIDE_PX[name])
        assert not image.copy or image.split == "train"
        with PilImage.open(place.root / image.path) as file:
            assert (file.size, file.mode) == ((image.width, image.height), "RGB")


def test_no_box_is_outside_or_without_place(name: str, place: Place) -> None:
    rows = pairs(stage_of(place)[0])
    boxes = [(a, image) for image, annotations in rows for a in annotations if a.xmin is not None]
    for a, image in boxes:
        assert 0 <= a.xmin < a.xmax <= image.width  # type: ignore[operator]
        assert 0 <= a.ymin < a.ymax <= image.height  # type: ignore[operator]
    assert bool(boxes) is (name != "classification")


def test_what_is_left_out_is_named_and_little(name: str, place: Place) -> None:
    _, findings = stage_of(place, "preprocess")
    expected = {
        "classification": {"box-left-out": 24, "image-left-out": 5},
        "detector-640": {},
        "small-objects": {"image-smaller-than-tile": 60},
        TILED: {"box-lost": 190, "image-left-out": 23},
    }
    assert codes(findings) == expected[name]


def test_tiles_show_every_object_of_the_images_and_few_are_empty(places: dict[str, Place]) -> None:
    tiles = pairs(stage_of(places[TILED], "preprocess")[0])
    sources = pairs(stage_of(places[TILED], "split")[0])
    shown = Counter(image.parent_id for image, annotations in tiles for _ in annotations)
    assert all(shown[image.image_id] >= len(annotations) for image, annotations in sources)
    assert 0.05 < sum(not annotations for _, annotations in tiles) / len(tiles) <= 0.1


def test_class_folders_have_one_folder_a_class(places: dict[str, Place]) -> None:
    manifest, _ = stage_of(places["classification"])
    folder = places["classification"].root / "data/export/class_folders"
    expected = Counter((image.split, a.label) for image, annotations in pairs(manifest) for a in annotations)
    found = Counter(path.parts[-3:-1] for path in folder.glob("*/*/*.*"))
    assert found == expected
    assert {label for _, label in found} == {"balloon", "boat", "buoy", "fish", "kite", "starfish"}


def test_rare_classes_have_more_copies(places: dict[str, Place]) -> None:
    rows = [row for row in pairs(stage_of(places["classification"])[0]) if row[0].split == "train"]
    originals = Counter(annotations[0].label for image, annotations in rows if not image.copy)
    copies = Counter(annotations[0].label for image, annotations in rows if image.copy)
    times = [copies[label] / count for label, count in originals.most_common()]
    assert times[0] == pytest.approx(1, abs=0.02)
    assert times[-1] > 1.4


def test_the_readme_says_the_steps_in_words(place: Place) -> None:
    params, text = load_params(place.root / "params.yaml"), place.read("data/export/tfrecord/README.md")
    steps = [*build_steps(params.preprocess.steps, PREPROCESS), *build_steps(params.augment.steps, AUGMENT)]
    assert [step.describe() for step in steps if step.describe() not in text] == []


def test_tfds_reads_every_one_with_none_of_our_code(places: dict[str, Place]) -> None:
    body = f"""
result = {{}}
for name, folder in {[(name, str(place.root / "data/export/tfrecord")) for name, place in places.items()]!r}:
    builder = tfds.builder_from_directory(folder)
    flat = "image/encoded" in builder.info.features
    sizes = set()
    counts = {{split: [0, 0] for split in builder.info.splits}}
    for split, count in counts.items():
        for example in builder.as_dataset(split=split):
            image = example["image/encoded"] if flat else example["image"]["encoded"]
            sizes.add(tuple(image.shape))
            count[0] += 1
            count[1] += 1 if flat else len(example["image"]["object"]["bbox"]["xmin"])
    result[name] = sorted(sizes), counts"""
    read = in_tfds(places["classification"].root / "data/export/tfrecord", body)
    for name, place in places.items():
        expected = {split: [0, 0] for split in ("train", "valid", "test")}
        for image, of_image in pairs(stage_of(place)[0]):
            expected[image.split or ""][0] += 1
            expected[image.split or ""][1] += len(of_image)
        assert read[name] == [[[SIDE_PX[name], SIDE_PX[name], 3]], expected]  # type: ignore[index]


def test_preview_draws_a_sheet(place: Place, tmp_path: Path) -> None:
    done = place.shardsmith("preview", "--n", "3", "--out", str(tmp_path / "sheet.png"))
    assert done.stdout.startswith("preview: 3 images, ")
    with PilImage.open(tmp_path / "sheet.png") as sheet:
        assert len(sheet.convert("RGB").getcolors(1 << 24) or []) > 5_000
