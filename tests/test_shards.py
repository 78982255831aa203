"""Which image goes into which shard: old ones stay, new ones open a shard of their own."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from conftest import image_bytes, make_image, make_manifest

from shardsmith.dataset.errors import StageError
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import Image
from shardsmith.formats.shared.job import ExportJob, Place
from shardsmith.formats.shared.shards import place_images, plan_shards, shard_count
from shardsmith.pipeline.export import read_places, write_places

KB = 0.001


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> list[Image]:
    """Of some 800 bytes each."""
    folder = tmp_path_factory.mktemp("in")
    return [make_image(folder, f"{number:03}.jpg", image_bytes(seed=number), split="train") for number in range(80)]


def job(images: list[Image], size_mb: float = 8 * KB, **more) -> ExportJob:
    return ExportJob(make_manifest(*images), LabelMap("ds"), size_mb, **more)


def shards(places: dict[str, Place]) -> Counter:
    return Counter(place.shard for place in places.values())


def test_new_images_open_a_shard_and_old_ones_stay(images: list[Image]) -> None:
    old = place_images(job(images[:40]))
    new = place_images(job(images[:43], places=old))
    assert {name: new[name] for name in old} == old
    assert not any(place.open for place in old.values())
    assert {new[image.image_id] for image in images[40:43]} == {Place("train", max(shards(old)) + 1, open=True)}


def test_a_full_shard_is_sealed_and_the_next_one_opened(images: list[Image]) -> None:
    old = place_images(job(images[:40]))
    new = place_images(job(images[:72], places=old))
    added = sorted(shards(new).keys() - shards(old).keys())
    assert len(added) > 2
    opened = {place.shard for place in new.values() if place.open}
    assert opened == {added[-1]}
    sizes = Counter()
    for image in images[:72]:
        sizes[new[image.image_id].shard] += Path(image.path).stat().st_size
    assert all(sizes[shard] <= 8_000 for shard in added)


def test_images_that_come_one_at_a_time_fill_shards_as_well(images: list[Image]) -> None:
    places = place_images(job(images[:40]))
    full = set(shards(places))
    for count in range(41, 81):
        before, places = places, place_images(job(images[:count], places=places))
        changed = {places[name].shard for name in places if name not in before}
        assert len(changed) == 1
        assert not changed & full
    assert len(shards(places).keys() - full) < 8


def test_what_a_plan_leaves_brings_it_again(images: list[Image]) -> None:
    places: dict[str, Place] = {}
    for chosen in (images[:40], images[:45], images[5:70], images[10:], images[10:20]):
        places = place_images(job(chosen, places=places))
        assert place_images(job(chosen, places=places)) == places


def test_images_that_are_gone_or_edited_leave_the_others_where_they_are(images: list[Image]) -> None:
    old = place_images(job(images))
    assert place_images(job(images[7:], places=old)).items() <= old.items()


def test_an_image_of_another_split_is_new_there(images: list[Image]) -> None:
    old = place_images(job(images[:40]))
    moved = make_image(Path(images[0].path).parent, "000.jpg", image_bytes(seed=0), split="valid")
    assert place_images(job([moved, *images[1:40]], places=old))["000.jpg"] == Place("valid", 0)


@pytest.mark.parametrize(
    ("size_mb", "more", "why"),
    [
        (1 * KB, {}, "shards are four times too large"),
        (64 * KB, {}, "no: fewer than four times as many as at least"),
        (8 * KB, {"min_shards": 16}, "more are asked for"),
    ],
)
def test_planned_anew(images: list[Image], size_mb: float, more: dict, why: str) -> None:
    old = place_images(job(images))
    assert (place_images(job(images, size_mb, places=old, **more)) == old) is why.startswith("no")


@pytest.mark.parametrize(("count", "shards_of_train"), [(499, 1), (500, 8)])
def test_many_images_are_in_eight_shards(images: list[Image], count: int, shards_of_train: int) -> None:
    many = [Image(f"{n}.jpg", images[0].path, "", 1, 1, "jpeg", split="train") for n in range(count)]
    assert len(shards(place_images(job(many, 150)))) == shards_of_train


def test_the_record(images: list[Image], tmp_path: Path) -> None:
    places = place_images(job(images[:50], places=place_images(job(images[:40]))))
    write_places(places, 2, tmp_path / "shards.csv")
    assert read_places(tmp_path / "shards.csv", 2) == places
    assert read_places(tmp_path / "shards.csv", 3) == {}
    assert read_places(tmp_path / "none.csv", 1) == {}


@pytest.mark.parametrize("row", ["a.jpg,train,x,,1", "a.jpg,tset,0,,1", "a.jpg,train,0,yes,1", "a.jpg,train,0,"])
def test_a_record_that_is_not_ours(tmp_path: Path, row: str) -> None:
    path = tmp_path / "shards.csv"
    path.write_text(f"image_id,split,shard,open,era\n{row}\n")
    with pytest.raises(StageError, match=r"shards.csv, line 2: .*git checkout HEAD -- data/shards.csv"):
        read_places(path, 1)


def test_doubling_the_shards_splits_each_in_two(images: list[Image]) -> None:
    of = {size: plan_shards(job(images[:64], size), Path()) for size in (0.02, 0.01)}
    few, many = ([plan.rows.tolist() for plan in of[size]["train"]] for size in (0.02, 0.01))
    assert len(many) == 2 * len(few)
    assert [[*many[2 * k], *many[2 * k + 1]] for k in range(len(few))] == few


@pytest.mark.parametrize(("megabytes", "count"), [(0, 1), (150, 1), (211, 1), (213, 2), (600, 4), (1000, 8)])
def test_the_number_of_shards_is_a_power_of_two(megabytes: int, count: int) -> None:
    assert shard_count(megabytes * 1_000_000, 150) == count


@pytest.mark.parametrize(("least", "count"), [(1, 2), (2, 2), (3, 4), (8, 8)])
def test_at_least_as_many_shards_as_asked(least: int, count: int) -> None:
    assert shard_count(300_000_000, 150, least) == count


def test_a_copy_goes_with_its_parent(tmp_path: Path) -> None:
    rows: list[Image] = []
    for number in range(20):
        data = image_bytes(seed=number)
        rows.append(make_image(tmp_path, f"{number}.jpg", data, split="train"))
        rows.append(make_image(tmp_path, f"{number}#1", data, split="train", parent_id=f"{number}.jpg", copy=1))
    manifest = make_manifest(*rows)
    plans = plan_shards(ExportJob(manifest, LabelMap("ds"), 0.005), tmp_path)["train"]
    ids = manifest.images["image_id"].to_pylist()
    where = {ids[row]: number for number, plan in enumerate(plans) for row in plan.rows}
    assert len(set(where.values())) > 2
    assert all(where[f"{number}.jpg"] == where[f"{number}#1"] for number in range(20))
