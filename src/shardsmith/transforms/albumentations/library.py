"""Transforms of the albumentations library on a sample; the only module that imports it.

A pipeline is JSON values, from params.yaml to the recorded operation: a list of `{NAME: {argument: value}}`, where a
composition (OneOf, ...) has such a list as its argument `transforms`.

Pixels are made by the library. Objects are not: it knows boxes to 24 bits, encloses them before it cuts them, and
forgets what was cut off. So each transform that moves pixels moves a map of places too, and objects follow that
(places.py).
"""

from __future__ import annotations

import copy
import json
import os
import random
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache, partial
from types import ModuleType
from typing import Any

import numpy as np
from pydantic import ValidationError

from shardsmith.transforms.base import Sample, is_for_memory
from shardsmith.transforms.geometry.objects import Objects
from shardsmith.transforms.geometry.places import follow, shapes, where
from shardsmith.transforms.problems import plain

Transforms = list[dict[str, dict[str, Any]]]
_STAYING = ("Morphological", "PixelDropout")  # they may change an outline's edge, and move nothing
_READING_BOXES = ("AtLeastOneBBoxRandomCrop", "BBoxSafeRandomCrop", "RandomSizedBBoxSafeCrop")
_READING_SHAPES = ("CropNonEmptyMaskIfExists", "MaskDropout")


class ThroughAlbumentations:
    """The operation: `transforms` and the `seed` of all that they draw."""

    def apply(self, sample: Sample, values: Mapping[str, Any]) -> Sample:
        """
        Raises:
            ValueError: a transform fails on this image; most often it is too small for a crop.
        """
        pixels, objects = run(pipeline(json.dumps(values["transforms"])), sample, values["seed"])
        if objects is sample.objects and np.array_equal(pixels, sample.pixels):
            return sample
        return replace(sample, pixels=pixels, objects=objects)


ALBUMENTATIONS = ThroughAlbumentations()


@lru_cache(1)
def library() -> ModuleType:
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # else the import asks the network for a newer version
    import albumentations
    import simsimd  # its weighted sums round differently from one CPU to another

    for capability in simsimd.get_capabilities():
        if capability != "serial":
            simsimd.disable_capability(capability)
    return albumentations


def class_of(name: str) -> Any:
    """The transform or composition with that name; None where there is none."""
    found, core = getattr(library(), name, None), library().core
    families = (core.transforms_interface.BasicTransform, core.composition.BaseCompose)
    return found if isinstance(found, type) and issubclass(found, families) else None


def build(name: str, arguments: Mapping[str, Any]) -> Any:
    """
    Raises:
        ValueError: the library does not take an argument or value; which, and why.
    """
    cls, given = class_of(name), dict(arguments)
    if "transforms" in given:
        given["transforms"] = [build(*item) for one in given["transforms"] for item in one.items()]
    elif hasattr(cls.__init__, "__signature__"):  # its arguments are checked, and without this some only warn
        given["strict"] = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return cls(**given)
    except Exception as error:
        raise ValueError(f"{name}: {_reason(error)}") from None


@lru_cache(64)
def pipeline(text: str) -> Any:
    """Of transforms as JSON text. Building takes longer than many a transform; no use leaves a trace for the next."""
    inner = [build(name, arguments) for one in json.loads(text) for name, arguments in one.items()]
    for transform in inner:
        for leaf in leaves(transform):
            if moves(leaf):
                _let_objects_follow(leaf)
    return library().Compose(inner, additional_targets={"objects": "bboxes"})


def run(transform: Any, sample: Sample, seed: int, **how: bool) -> tuple[np.ndarray, Objects]:
    """New pixels, and the objects as they lie on them: the very same ones where nothing moved.

    Raises:
        ValueError: it fails, or gives something else than an image.
        MemoryError: there is not enough.
    """
    import cv2

    # not set_random_seed: with it every transform draws the same numbers, and all say yes or no together
    transform.set_random_state(np.random.default_rng(seed), random.Random(seed))  # noqa: S311
    cv2.setRNGSeed(seed % 2**31)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = transform(image=sample.pixels.copy(), objects=sample.objects, bboxes=None, mask=None, **how)
    except Exception as error:
        raise (MemoryError() if is_for_memory(error) else ValueError(_reason(error))) from None
    pixels = result["image"]
    if pixels.dtype != np.uint8 or pixels.shape[2:] != (3,) or not pixels.size:
        raise ValueError(f"gives {pixels.dtype} of shape {pixels.shape}; allowed: uint8 with 3 channels")
    return pixels, result["objects"]


def leaves(transform: Any) -> Iterator[Any]:
    """The transforms in a composition; a transform itself."""
    if not isinstance(transform, library().core.composition.BaseCompose):
        yield transform
    else:
        for inner in transform.transforms:
            yield from leaves(inner)


def moves(leaf: Any) -> bool:
    return isinstance(leaf, library().DualTransform)


def _reason(error: Exception) -> str:
    """One line, with the argument's name and value where the library says them."""
    if not isinstance(error.__cause__, ValidationError):
        return " ".join(str(error).split())[:300] or type(error).__name__
    said: dict[str, str] = {}
    for problem in error.__cause__.errors(include_url=False):
        value = "" if problem["type"] == "missing" else f"{problem['input']!r}: "
        place = f"{problem['loc'][0]}: {value}" if problem["loc"] else ""
        said.setdefault(place, plain(problem).removeprefix("value error, "))
    return "; ".join(place + message for place, message in said.items())


def _let_objects_follow(leaf: Any) -> None:
    """Its map of places is moved by a twin: smoothly, and with nothing where the old image has nothing."""
    tracer = copy.copy(leaf)
    for name, value in _traced().items():
        if hasattr(tracer, name):
            setattr(tracer, name, value)
    leaf.apply_to_bboxes = partial(_moved, tracer)
    if (name := type(leaf).__name__) in (*_READING_BOXES, *_READING_SHAPES):
        draw = leaf.get_params_dependent_on_data
        leaf.get_params_dependent_on_data = partial(_draw_knowing, draw, name in _READING_SHAPES)


def _traced() -> dict[str, int]:
    import cv2

    smooth = {"interpolation": cv2.INTER_LINEAR, "mask_interpolation": cv2.INTER_LINEAR}
    return {**smooth, "border_mode": cv2.BORDER_CONSTANT, "fill": 0, "fill_mask": 0}


def _moved(tracer: Any, objects: Objects, **params: Any) -> Objects:
    if type(tracer).__name__ in _STAYING or not len(objects.rows):
        return objects
    height, width = params["shape"][:2]
    given = params | {name: value for name, value in _traced().items() if name in params}
    return follow(objects, width, height, tracer.apply_to_mask(where(width, height), **given))


def _draw_knowing(draw: Callable[..., Any], in_shapes: bool, params: dict[str, Any], data: dict[str, Any]) -> Any:
    """What some draw depends on where the objects are."""
    (height, width), objects = params["shape"][:2], data["objects"]
    known = {"bboxes": objects.boxes() / [width, height, width, height]}
    if in_shapes:
        known["mask"] = shapes(objects, width, height)
    return draw(params=params, data={**data, **known})
