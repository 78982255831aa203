"""Any transform of albumentations: what may be asked for, what is refused, and that it is made again alike."""

import inspect
import json
import random
import re
from pathlib import Path

import numpy as np
import pytest

from shardsmith.dataset.errors import ParamsError
from shardsmith.pipeline.params import parse_params
from shardsmith.transforms.albumentations.checks import checked, names
from shardsmith.transforms.albumentations.library import class_of, library
from shardsmith.transforms.catalogue import OPERATIONS
from shardsmith.transforms.run.recipe import prepare_process
from tests.scenes import done, draw_scene, operations, sample_of, step

NEEDED = {  # arguments without a default, and defaults that do not fit a small image
    "height": 48,
    "width": 64,
    "size": [48, 64],
    "min_max_height": [40, 60],
    "num_grid_xy": [4, 4],
    "magnitude": 5,
    "transforms": [{"CLAHE": {}}, {"Blur": {}}],
}
FITTING = {
    "Crop": {"x_max": 50, "y_max": 50},
    "CropAndPad": {"px": [-8, 8]},
    "LongestMaxSize": {"max_size": 64},
    "SmallestMaxSize": {"max_size": 64},
    "OneOrOther": {"transforms": NEEDED["transforms"]},
    "PiecewiseAffine": {"nb_rows": 2, "nb_cols": 2},
}


@pytest.fixture(autouse=True, scope="module")
def _stable_opencv() -> None:
    prepare_process()


def one(name: str, **arguments: object) -> object:
    return step("albumentations", **{name: {"p": 1, **arguments}})


def arguments_for(name: str) -> dict:
    parameters = inspect.signature(class_of(name).__init__).parameters.values()
    needed = {it.name: NEEDED[it.name] for it in parameters if it.default is it.empty and it.name in NEEDED}
    return {**needed, **FITTING.get(name, {}), "p": 1}


def every_name() -> list[str]:
    return [name for name in dir(library()) if class_of(name)]


@pytest.mark.slow
def test_all_there_is_works_or_is_refused() -> None:
    """Twice with other work between: the same bytes, an RGB image, its source untouched."""
    scene = draw_scene(3)
    source, outcomes = scene.pixels.copy(), {}
    for name in every_name():
        try:
            given = step("albumentations", **{name: arguments_for(name)})
        except ValueError as error:
            outcomes[name] = str(error).splitlines()[1].split("[")[0]
            continue
        first = done(given, scene, 5)
        random.random()
        np.random.random()
        done(given, draw_scene(8), 6)
        again = done(given, scene, 5)
        assert first.pixels.dtype == np.uint8 and first.pixels.ndim == 3 and first.pixels.shape[2] == 3, name
        assert first.pixels.tobytes() == again.pixels.tobytes(), name
        assert first.objects.boxes().tolist() == again.objects.boxes().tolist(), name
        assert np.array_equal(scene.pixels, source), name
    assert set(outcomes) == set(every_name()) - set(names())
    assert all(name in message for name, message in outcomes.items())
    assert len(names()) > 100


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{RandomRian: {}}", r"RandomRian: no such transform; did you mean RandomRain.*--albumentations. lists all"),
        (
            "{RandomRain: {slant: 3}}",
            r"RandomRain: no argument 'slant'; did you mean slant_range.*drop_length",
        ),
        ("{RandomRain: {p: 3}}", r"RandomRain: p: 3: allowed: up to 1"),
        ("{GridDistortion: {num_steps: many}}", r"GridDistortion: num_steps: 'many': not a whole number"),
        ("{Affine: {scale: [a, b]}}", r"Affine: scale: "),
        ("{RandomCrop: {}}", r"RandomCrop: height: needed; width: needed"),
        ("{RandomRain: 3}", r"RandomRain: 3: allowed: \{argument: value\}"),
        ("{CoarseDropout: {fill: [1, 2]}}", r"CoarseDropout: Fill value must"),
        ("{ToGray: {num_output_channels: 1}}", r"ToGray: gives uint8 of shape"),
        ("{ToTensorV2: {}}", r"ToTensorV2: does not keep whole numbers from 0 to 255"),
        ("{Normalize: {}}", r"Normalize: does not keep"),
        ("{Lambda: {}}", r"Lambda: runs code"),
        ("{FDA: {}}", r"FDA: needs other images"),
        ("{Mosaic: {}}", r"the step `mosaic`"),
        ("{Pad3D: {padding: 3}}", r"Pad3D: is for volumes"),
        ("{ThinPlateSpline: {}}", r"ThinPlateSpline: comes out in other bytes on another CPU"),
        ("{OneOf: {}}", r"transforms: allowed: a list"),
        ("{OneOf: {transforms: [{Blurr: {}}]}}", r"Blurr: no such transform"),
        ("{SomeOf: {n: -1, transforms: [{Blur: {}}]}}", r"SomeOf: n: -1: allowed: whole numbers from 1"),
        ("{OneOf: {p: 7, transforms: [{Blur: {}}]}}", r"OneOf: p: 7: allowed: 0 to 1"),
        ("{SelectiveChannelTransform: {transforms: [{D4: {}}]}}", r"D4 would move an object in some channels"),
        ("{saved: other/rain.json}", r"saved: 'other/rain.json': allowed: pipelines/NAME.json"),
        ("{saved: pipelines/../rain.json}", r"allowed: pipelines/NAME.json"),
        ("{saved: pipelines/none.json}", r"saved: pipelines/none.json: cannot be read"),
        ("{saved: pipelines/none.json, Blur: {}}", r"allowed: names of transforms, or `saved: FILE`"),
        ("{probability: 1}", r"allowed: names of transforms"),
        ("{probability: 7, Blur: {}}", r"albumentations.probability: 7: allowed: up to 1"),
    ],
)
def test_what_is_wrong_is_said(written: str, said: str) -> None:
    with pytest.raises(ParamsError) as caught:
        parse_params(f"augment: {{steps: [{{albumentations: {written}}}]}}")
    assert re.search(said, str(caught.value)), caught.value
    assert str(caught.value).startswith("params.yaml: augment.steps[0].albumentations")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"RandomRain": {"p": 0.3}}, "RandomRain (p 0.3)"),
        ({"GridDistortion": {"num_steps": 5, "p": 1}, "CLAHE": None}, "GridDistortion (num_steps 5), CLAHE (p 0.5)"),
        ({"transforms": [{"Blur": {"p": 1}}, {"Blur": {}}]}, "Blur, Blur (p 0.5)"),
        ({"OneOf": {"transforms": [{"Blur": {"p": 1}}], "p": 0.2}}, "OneOf (p 0.2: Blur)"),
        ({"D4": {"p": 1}, "probability": 0.1, "classes": ["cat"]}, "D4, 10 % of copies, only images with cat"),
    ],
)
def test_in_words(given: dict, words: str) -> None:
    assert step("albumentations", **given).describe() == words


def test_an_operation_is_json_and_says_all() -> None:
    ((name, values),) = operations(one("Affine", rotate=[-9, 9]), 4)
    again = OPERATIONS[name].apply(draw_scene(1), json.loads(json.dumps(values)))
    assert values["transforms"] == [{"Affine": {"p": 1, "rotate": [-9, 9]}}]
    assert again.pixels.tobytes() == done(one("Affine", rotate=[-9, 9]), draw_scene(1), 4).pixels.tobytes()
    assert again.pixels.tobytes() != done(one("Affine", rotate=[-9, 9]), draw_scene(1), 5).pixels.tobytes()


def test_transforms_draw_on_their_own() -> None:
    """With the library's own seeding, two flips of p 0.5 are both done or both not."""
    both = step("albumentations", HorizontalFlip={}, VerticalFlip={})
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    seen = {done(both, sample_of(pixels, []), draw).pixels[0, 0, 0] for draw in range(40)}
    assert len(seen) == 4


@pytest.mark.parametrize("data_format", ["json", "yaml"])
def test_a_saved_pipeline_does_what_it_did(data_format: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alb = library()
    inner = [alb.OneOf([alb.Blur(), alb.SafeRotate(p=1)], p=0.9), alb.RGBShift(p=1)]
    whole = alb.Compose([*inner, alb.PadIfNeeded(450, 450)], bbox_params=alb.BboxParams("coco", min_area=3))
    monkeypatch.chdir(tmp_path)
    file = Path("pipelines") / f"rain.{data_format}"
    file.parent.mkdir()
    alb.save(whole, file, data_format=data_format)
    given = step("albumentations", saved=str(file))
    file.unlink()
    assert given.describe() == f"pipeline {file.name}"
    assert given.model_dump()["transforms"][0]["OneOf"]["p"] == 0.9
    for draw in range(5):
        ((_, values),) = operations(given, draw)
        whole.set_random_state(np.random.default_rng(values["seed"]), random.Random(values["seed"]))
        expected = whole(image=draw_scene(draw).pixels, bboxes=[])["image"]
        assert np.array_equal(done(given, draw_scene(draw), draw).pixels, expected)


def test_a_saved_compose_may_do_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pipelines").mkdir()
    library().save(library().Compose([library().D4(p=1)], p=0.25), "pipelines/some.json")
    assert step("albumentations", saved="pipelines/some.json").transforms == [
        {"Compose": {"p": 0.25, "transforms": [{"D4": {"p": 1}}]}}
    ]
    compose = {"__class_fullname__": "Compose", "p": 1.0}
    for bad in ({"transform": 3}, {"transform": compose}, "[" * 100_000):
        Path("pipelines/bad.json").write_text(bad if isinstance(bad, str) else json.dumps(bad))
        with pytest.raises(ValueError, match=r"pipelines/bad\.json: not as albumentations\.save writes it"):
            step("albumentations", saved="pipelines/bad.json")


def test_checking_tells_large_crops_from_wrong_ones() -> None:
    assert checked([{"RandomCrop": {"height": 1000, "width": 1000}}])
    with pytest.raises(ValueError, match="Crop: "):
        checked([{"Crop": {"x_min": 5, "x_max": 3}}])
