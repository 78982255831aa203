"""Split: stable, exact or as the source has it; what belongs together stays together."""

from __future__ import annotations

import random
import time
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import box, make_manifest
from hypothesis import given, settings
from hypothesis import strategies as st
from staged import start_stage

from shardsmith.dataset.errors import FindingError, StageError
from shardsmith.dataset.findings import found
from shardsmith.dataset.manifest import SPLITS, Annotation, Image, Manifest
from shardsmith.pipeline.params import Fractions, Params, parse_params
from shardsmith.pipeline.splits.links import cluster_group
from shardsmith.pipeline.splits.split import split
from shardsmith.pipeline.splits.strategies import stable_split, stratify, whole_shares
from shardsmith.pipeline.splits.units import declare_groups, make_units
from shardsmith.pipeline.stage import read_stage, write_stage

TOP = Path(__file__).parents[1]


def image(image_id: str, sha256: str = "", **columns: object) -> Image:
    return Image(image_id, image_id, sha256 or f"bytes of {image_id}", 64, 48, "jpeg", **columns)  # type: ignore[arg-type]


def params(strategy: str = "stable", **more: object) -> Params:
    lines = "".join(f"  {key}: {value}\n" for key, value in {"strategy": strategy, **more}.items())
    return parse_params(f"split:\n{lines}")


def splits(manifest: Manifest) -> dict[str, str]:
    return dict(zip(manifest.images["image_id"].to_pylist(), manifest.images["split"].to_pylist(), strict=True))


def made(rows: list, strategy: str = "stable", **more: object) -> dict[str, str]:
    return splits(split(make_manifest(*rows), params(strategy, **more))[0])


def codes(rows: list, strategy: str = "source", **more: object) -> list[str]:
    findings = split(make_manifest(*rows), params(strategy, **more))[1]
    return [finding.code for finding in findings if finding.code not in ("split-empty", "split-lacks-class")]


MANY = [image(f"{i}.jpg") for i in range(1000)]


def test_stable_moves_no_old_image_when_new_ones_come() -> None:
    before, after = made(MANY), made(MANY + [image(f"new/{i}.jpg") for i in range(100)])
    assert before.items() <= after.items()


@pytest.mark.parametrize("strategy", ["stable", "stratified"])
def test_a_renamed_folder_moves_nothing(strategy: str) -> None:
    renamed = [replace(row, image_id=f"zoo/{row.image_id}") for row in MANY]
    assert made(renamed, strategy) == {f"zoo/{key}": value for key, value in made(MANY, strategy).items()}


@pytest.mark.parametrize("strategy", ["stable", "stratified"])
def test_the_order_of_rows_does_not_matter_and_the_seed_does(strategy: str) -> None:
    def images_of(rows: list, seed: int) -> dict[str, str]:
        table = make_manifest(*rows).images
        shuffled = Manifest(
            table.take(random.Random(5).sample(range(len(table)), len(table))), make_manifest().annotations
        )
        return splits(split(shuffled, params(strategy, seed=seed))[0])

    assert images_of(PAIRS, 0) == made(PAIRS, strategy)
    assert images_of(MANY, 0) == made(MANY, strategy) != images_of(MANY, 1)


def test_stable_shares_are_roughly_the_fractions() -> None:
    counts = Counter(made([image(f"{i}.jpg") for i in range(5000)]).values())
    assert {name: round(counts[name] / 5000, 1) for name in SPLITS} == {"train": 0.7, "valid": 0.2, "test": 0.1}


def test_stable_is_the_same_for_ever() -> None:
    """These stand in versions that people have; another hash would move their images."""
    places = [stable_split(f"sha256 {i}", 0, Fractions()) for i in range(12)]
    assert "".join(place[:2] for place in places) == "trtrtrtrtrtrtrtrvatevatr"


def test_growing_a_split_moves_images_only_into_it() -> None:
    before = made(MANY, fractions="{train: 0.7, valid: 0.2, test: 0.1}")
    after = made(MANY, fractions="{train: 0.8, valid: 0.1, test: 0.1}")
    moved = {(before[key], after[key]) for key in before if before[key] != after[key]}
    assert moved == {("valid", "train")}


PAIRS = [image(f"{folder}/{i}.jpg", f"content {i}") for i in range(200) for folder in ("a", "b")]


@pytest.mark.parametrize("strategy", ["stable", "stratified"])
def test_identical_images_share_a_split(strategy: str) -> None:
    result = made(PAIRS, strategy)
    assert all(result[f"a/{i}.jpg"] == result[f"b/{i}.jpg"] for i in range(200))
    assert set(result.values()) == set(SPLITS)


GROUPED = [image(f"patient-{i % 40}/{i}.jpg") for i in range(400)]


@pytest.mark.parametrize("strategy", ["stable", "stratified"])
def test_a_group_shares_a_split_and_is_written_down(strategy: str) -> None:
    manifest, findings = split(make_manifest(*GROUPED), params(strategy, group_pattern="'^(patient-[0-9]+)/'"))
    by_group = defaultdict(set)
    for row in manifest.image_rows():
        assert row.group == row.image_id.split("/")[0]
        by_group[row.group].add(row.split)
    assert all(len(places) == 1 for places in by_group.values())
    assert findings == []


def test_stable_keeps_a_growing_group_where_it_was() -> None:
    pattern = {"group_pattern": "'^(patient-[0-9]+)/'"}
    assert made(GROUPED, **pattern).items() <= made([*GROUPED, image("patient-3/new.jpg")], **pattern).items()


JOINED = [
    (["a/1", "b/2"], ["x", "y"], [], "nothing shared"),
    (["a/1", "b/2"], ["x", "x"], ["split-groups-joined"], "two groups share an image"),
    (["a/1", "a/2", "b/3", "b/4", "c/5"], ["x", "y", "y", "z", "z"], ["split-groups-joined"], "a chain of three"),
    (["a/1", "2"], ["x", "x"], ["split-groups-joined"], "an image without a group joins one"),
    (["1", "2"], ["x", "x"], [], "no groups: nothing to join"),
]


@pytest.mark.parametrize(("names", "contents", "expected", "why"), JOINED, ids=[row[-1] for row in JOINED])
def test_groups_with_identical_images_count_as_one(names: list, contents: list, expected: list, why: str) -> None:
    rows = [image(name, content) for name, content in zip(names, contents, strict=True)]
    assert codes(rows, "stable", group_pattern="'^([a-z])/'") == expected, why
    units = make_units(image(row.image_id, row.sha256, group=row.group) for row in declare_groups(rows, "^([a-z])/"))
    assert len(units) == (2 if contents == ["x", "y"] else 1)
    assert units[0].key == ("group a" if "/" in names[0] else "sha256 x")


SHARES = [
    (10, (0.7, 0.2, 0.1), (7, 2, 1), "exact"),
    (9, (0.7, 0.2, 0.1), (6, 2, 1), "6.3, 1.8, 0.9"),
    (1, (0.7, 0.2, 0.1), (1, 0, 0), "one image"),
    (2, (0.5, 0.25, 0.25), (1, 1, 0), "a tie goes to the first"),
    (100, (0.29, 0.42, 0.29), (29, 42, 29), "binary fractions round"),
    (5, (1.0, 0.0, 0.0), (5,), "a split without a share gets none"),
    (0, (0.7, 0.2, 0.1), (0, 0, 0), "no image"),
]


@pytest.mark.parametrize(("total", "fractions", "expected", "why"), SHARES, ids=[row[-1] for row in SHARES])
def test_whole_shares(total: int, fractions: tuple, expected: tuple, why: str) -> None:
    shares = Fractions(train=fractions[0], valid=fractions[1], test=fractions[2])
    assert tuple(whole_shares(total, shares).values()) == expected, why


@settings(max_examples=60)
@given(st.lists(st.sets(st.sampled_from("abcdef"), max_size=4), min_size=1, max_size=60), st.integers(0, 3))
def test_stratified_shares_are_exact(labels: list[set[str]], seed: int) -> None:
    units = make_units(image(str(i)) for i in range(len(labels)))
    result = stratify(units, {str(i): names for i, names in enumerate(labels)}, Fractions(), seed)
    counts = Counter(result.values())
    assert {name: counts[name] for name in SPLITS} == whole_shares(len(labels), Fractions())


def with_classes(count: int, classes: int, seed: int = 0) -> list[Image | Annotation]:
    """Classes as unequal as real ones; every tenth image is a negative."""
    rng = random.Random(seed)
    names = [f"class {i:02}" for i in range(classes)]
    weights = [1 / (i + 1) for i in range(classes)]
    rows: list[Image | Annotation] = [image(f"{i}.jpg") for i in range(count)]
    for i in range(count):
        if i % 10:
            rows += [box(f"{i}.jpg", name) for name in rng.choices(names, weights, k=rng.randrange(1, 6))]
    return rows


def test_stratified_balances_classes_and_negatives() -> None:
    rows = with_classes(2000, 20)
    result = made(rows, "stratified")
    images_of = defaultdict(set)
    for row in rows:
        if isinstance(row, Annotation):
            images_of[row.label].add(row.image_id)
    images_of["negative"] = {f"{i}.jpg" for i in range(0, 2000, 10)}
    for name, image_ids in images_of.items():
        counts = Counter(result[image_id] for image_id in image_ids)
        for place, share in Fractions().model_dump().items():
            assert counts[place] == pytest.approx(len(image_ids) * share, abs=1.5), name


def test_stratified_deals_out_rare_classes() -> None:
    rows: list[Image | Annotation] = [
        *MANY[:100],
        *(box(f"{i}.jpg", "rare") for i in range(5)),
        *(box(f"{i}.jpg") for i in range(100)),
    ]
    result = made(rows, "stratified", fractions="{train: 0.6, valid: 0.2, test: 0.2}")
    assert Counter(result[f"{i}.jpg"] for i in range(5)) == {"train": 3, "valid": 1, "test": 1}


def test_stratified_is_not_quadratic() -> None:
    manifest = make_manifest(*with_classes(20_000, 80))
    start = time.process_time()
    split(manifest, params("stratified"))
    assert time.process_time() - start < 20, "about 1 s; quadratic takes minutes"


def test_stratified_comes_close_with_groups() -> None:
    counts = Counter(made(GROUPED, "stratified", group_pattern="'^(patient-[0-9]+)/'").values())
    assert counts == {"train": 280, "valid": 80, "test": 40}


def test_stratified_places_large_groups_first() -> None:
    sizes = [50, 20, 10, *[1] * 120]
    rows = [image(f"group-{number}/{i}.jpg") for number, size in enumerate(sizes) for i in range(size)]
    for seed in range(10):
        counts = Counter(made(rows, "stratified", group_pattern="'^(group-[0-9]+)/'", seed=seed).values())
        assert counts == {"train": 140, "valid": 40, "test": 20}


SOURCE = [
    ([image("a", split="train"), image("b", split="test")], [], {"a": "train", "b": "test"}, "as it came"),
    ([image("a", split="train"), image("b")], ["split-missing"], {"a": "train"}, "one has none: dropped"),
    (
        [image("a", "x", split="train"), image("b", "x", split="test")],
        ["split-leak"],
        {"a": "train", "b": "test"},
        "identical images leak",
    ),
    ([image("a", "x", split="train"), image("b", "x", split="train")], [], {"a": "train", "b": "train"}, "no leak"),
    (
        [image("a", group="g", split="train"), image("b", group="g", split="valid")],
        ["split-leak"],
        {"a": "train", "b": "valid"},
        "a group leaks",
    ),
]


@pytest.mark.parametrize(("rows", "expected", "result", "why"), SOURCE, ids=[row[-1] for row in SOURCE])
def test_source(rows: list, expected: list, result: dict, why: str) -> None:
    assert codes(rows) == expected, why
    assert made(rows, "source") == result


def test_a_leak_names_an_image_of_each_split() -> None:
    rows: list[Image | Annotation] = [
        image(name, "x", split=place) for name, place in (("b", "train"), ("a", "test"), ("c", "train"))
    ]
    leak = split(make_manifest(*rows), params("source"))[1][0]
    assert (leak.file, leak.value, leak.reason) == ("a", "train: b, test: a", "identical images in several splits")


def test_an_image_without_a_split_goes_with_its_boxes() -> None:
    manifest, _ = split(make_manifest(image("a", split="train"), image("b"), box("a"), box("b")), params("source"))
    assert manifest.annotations["image_id"].to_pylist() == ["a"]


def test_a_source_without_splits_is_an_error() -> None:
    with pytest.raises(StageError, match=r"gives no image a split: name its folders.*set split.strategy to stable"):
        made([image("a")], "source")


def test_no_image_is_an_error() -> None:
    with pytest.raises(StageError, match="no image to split"):
        made([])


def test_empty_splits_and_lacking_classes_are_named() -> None:
    rows: list[Image | Annotation] = [
        image("a", split="train"),
        image("b", split="test"),
        box("a", "cat"),
        box("b", "cat"),
        box("a", "dog"),
    ]
    findings = split(make_manifest(*rows), params("source"))[1]
    assert [(finding.code, finding.place, finding.value) for finding in findings] == [
        ("split-empty", "split valid", ""),
        ("split-lacks-class", "split test", "dog"),
    ]


def test_a_split_that_nobody_wants_is_not_missed() -> None:
    assert split(make_manifest(image("a")), params(fractions="{train: 1.0, valid: 0.0, test: 0.0}"))[1] == []


def test_unlabelled_images_get_a_split() -> None:
    rows: list[Image | Annotation] = [replace(row, annotated=False) for row in MANY]
    assert Counter(made(rows, "stratified").values()) == {"train": 700, "valid": 200, "test": 100}


def test_fail_stops() -> None:
    wanted = parse_params("split: {strategy: source}\nvalidate: {actions: {split-leak: fail}}")
    with pytest.raises(FindingError, match=r"(?s)split-leak: 1 \(1 failed\).*move them together"):
        split(make_manifest(image("a", "x", split="train"), image("b", "x", split="test")), wanted)


def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("split: {strategy: stratified}")
    write_stage(tmp_path / "in", make_manifest(*with_classes(300, 30)), [])
    for seed in ("1", "2"):
        assert (
            start_stage(
                tmp_path, "split", "in", "none", f"splits{seed}.csv", f"out{seed}", PYTHONHASHSEED=seed
            ).returncode
            == 0
        )
    for name in ("images.parquet", "annotations.parquet", "findings.csv"):
        assert (tmp_path / "out1" / name).read_bytes() == (tmp_path / "out2" / name).read_bytes()


def test_command(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("split: {strategy: stratified}")
    earlier = [found("box-empty", "0.jpg", "box 1")]
    write_stage(tmp_path / "in", make_manifest(*MANY[:10], *(box(f"{i}.jpg") for i in range(10))), earlier)
    done = start_stage(tmp_path, "split", "in", "none", "splits.csv", "out")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "split       images    share     boxes    share",
        "train            7    70.0%         7    70.0%",
        "valid            2    20.0%         2    20.0%",
        "test             1    10.0%         1    10.0%",
        "split: 10 images (stratified): 7 train, 2 valid, 1 test; no findings",
    ]
    manifest, findings = read_stage(tmp_path / "out")
    assert Counter(splits(manifest).values()) == {"train": 7, "valid": 2, "test": 1}
    assert findings == earlier


NEAR = cluster_group(["x", "y"])
LEAKS = [
    (
        [image("a", "x", split="train", group=NEAR), image("b", "y", split="test", group=NEAR)],
        ["split-leak-similar"],
        "nearly identical images",
    ),
    (
        [image("a", "x", split="train", group=NEAR), image("b", "y", split="train", group=NEAR)],
        [],
        "they share a split",
    ),
    (
        [
            image("a", "x", split="train", group=NEAR),
            image("b", "x", split="test", group=NEAR),
            image("c", "y", split="train", group=NEAR),
        ],
        ["split-leak", "split-leak-similar"],
        "both kinds",
    ),
    (
        [
            image("a", "x", split="train", group=NEAR),
            image("b", "x", split="test", group=NEAR),
            image("c", "y", group=NEAR),
        ],
        ["split-missing", "split-leak"],
        "the near one has no split",
    ),
]


@pytest.mark.parametrize(("rows", "expected", "why"), LEAKS, ids=[row[-1] for row in LEAKS])
def test_leaks_of_nearly_identical_images(rows: list, expected: list, why: str) -> None:
    assert codes(rows) == expected, why


@pytest.mark.parametrize("strategy", ["stable", "stratified"])
def test_nearly_identical_images_share_a_split(strategy: str) -> None:
    rows = [
        image(f"{folder}/{i}.jpg", f"{folder} {i}", group=cluster_group([f"a {i}", f"b {i}"]))
        for i in range(100)
        for folder in ("a", "b")
    ]
    result = made(rows, strategy)
    assert all(result[f"a/{i}.jpg"] == result[f"b/{i}.jpg"] for i in range(100))
    assert set(result.values()) == set(SPLITS)


def test_a_pattern_does_not_part_nearly_identical_images() -> None:
    rows = [image("a/1", "x", group=NEAR), image("b/2", "y", group=NEAR), image("3", "z", group=NEAR)]
    pattern = {"group_pattern": "'^([a-z])/'"}
    manifest, findings = split(make_manifest(*rows), params(**pattern))
    assert len(set(splits(manifest).values())) == 1
    joined = [finding.reason for finding in findings if finding.code == "split-groups-joined"]
    assert joined == ["groups a, b share nearly identical images and count as a"]
    assert codes([rows[0], rows[2]], "stable", **pattern) == ["split-groups-joined"]


def test_a_cluster_goes_where_its_smallest_content_goes() -> None:
    """So that one of its images stays where it was before the others came."""
    rows = [image(name, name, group=NEAR) for name in "zyx"]
    assert make_units(rows, dict.fromkeys("zyx", NEAR))[0].key == "sha256 x"
