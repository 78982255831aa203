"""Which transforms of the albumentations library may be used, and with what: said before any image is read."""

from __future__ import annotations

import difflib
import inspect
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from shardsmith.transforms.albumentations.library import (
    Transforms,
    build,
    class_of,
    leaves,
    library,
    moves,
    pipeline,
    run,
)
from shardsmith.transforms.base import Sample
from shardsmith.transforms.geometry.objects import Objects

SEE_ALL = "shardsmith steps --albumentations"
_COMPOSITIONS = ("Compose", "OneOf", "SomeOf", "RandomOrder", "OneOrOther", "Sequential", "SelectiveChannelTransform")
_BESIDE = "needs other images, texts or places beside each image, which parameters cannot give"
_NUMBERS = "does not keep whole numbers from 0 to 255; leave that to the training code"
_REFUSED = {
    **dict.fromkeys(("FDA", "HistogramMatching", "OverlayElements", "PixelDistributionAdaptation"), _BESIDE),
    **dict.fromkeys(("RandomCropNearBBox", "TextImage"), _BESIDE),
    "Mosaic": f"{_BESIDE}; the step `mosaic` does it",
    **dict.fromkeys(("FromFloat", "Normalize", "ToFloat", "ToTensorV2", "ToTensor3D"), _NUMBERS),
    **dict.fromkeys(("BasicTransform", "DualTransform", "ImageOnlyTransform", "BaseCompose"), "does nothing by itself"),
    **dict.fromkeys(("HEStain", "ThinPlateSpline"), "comes out in other bytes on another CPU"),
    "ConstrainedCoarseDropout": "needs the labels of the boxes, which it is not told",
    "Lambda": "runs code, which parameters cannot hold",
    "ReplayCompose": "is a Compose that remembers what it drew; use Compose",
}
# of compositions: objects and chance are not theirs to say
_UNUSED = {"bbox_params", "keypoint_params", "additional_targets", "is_check_shapes", "mask_interpolation", "seed"}
_UNUSED |= {"save_applied_params", "first", "second", "strict"}
_TRIAL_SIDES_PX = (128, 4096)  # a crop may be larger than the first


def names() -> list[str]:
    """Every transform and composition that may be used."""
    return [name for name in dir(library()) if class_of(name) and not _reason_against(name)]


def checked(transforms: object) -> Transforms:
    """The transforms, built and each tried once, with `p` written out.

    Raises:
        ValueError: a name, an argument or a value is not allowed: which, and what is.
    """
    complete = _complete(transforms)
    for leaf in leaves(pipeline(json.dumps(complete))):
        _try(leaf)
    return complete


def known_arguments(name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Without those that the library saves and does not read: a parent class's, a composition's boxes."""
    if (cls := class_of(name)) is None:
        return dict(arguments)
    saved = _UNUSED if name in _COMPOSITIONS else {key for parent in cls.__mro__ for key in _parameters(parent)}
    return {key: value for key, value in arguments.items() if key in _arguments_of(cls) or key not in saved}


def _complete(transforms: object) -> Transforms:
    if not isinstance(transforms, list) or not all(isinstance(one, dict) and len(one) == 1 for one in transforms):
        raise ValueError("transforms: allowed: a list, each NAME: {argument: value}")
    return [{name: _complete_one(name, arguments)} for one in transforms for name, arguments in one.items()]


def _complete_one(name: str, arguments: object) -> dict[str, Any]:
    if reason := _reason_against(name):
        raise ValueError(f"{name}: {reason}")
    if (cls := class_of(name)) is None:
        raise ValueError(f"{name}: no such transform; {_near(name, names())}`{SEE_ALL}` lists all")
    given = {} if arguments is None else arguments
    if not isinstance(given, dict):
        raise ValueError(f"{name}: {given!r}: allowed: {{argument: value}}")
    allowed = _arguments_of(cls)
    if unknown := [key for key in given if key not in allowed]:
        near = _near(unknown[0], allowed)
        raise ValueError(f"{name}: no argument {unknown[0]!r}; {near}allowed: {', '.join(allowed)}")
    if "transforms" in allowed:
        given = {**given, "transforms": _complete(given.get("transforms"))}
    built = build(name, given)
    if name in _COMPOSITIONS and (problem := _problem_of(name, built)):
        raise ValueError(f"{name}: {problem}")
    if beside := set(getattr(built, "targets_as_params", ())) - {"image", "bboxes", "mask"}:
        raise ValueError(f"{name}: {_BESIDE}: {', '.join(sorted(beside))}")
    return {**given, "p": built.p}


def _reason_against(name: str) -> str | None:
    if issubclass(class_of(name) or object, library().core.transforms_interface.Transform3D):
        return "is for volumes, not images"
    return _REFUSED.get(name)


def _near(name: object, known: list[str]) -> str:
    near = difflib.get_close_matches(str(name), known, 3)
    return f"did you mean {' or '.join(near)}? " if near else ""


def _problem_of(name: str, built: Any) -> str | None:
    """What the library itself would notice only when it runs, or never."""
    if not (isinstance(built.p, int | float) and 0 <= built.p <= 1):
        return f"p: {built.p!r}: allowed: 0 to 1"
    if not built.transforms or (name == "OneOrOther" and len(built.transforms) != 2):
        return f"transforms: allowed: {'two' if name == 'OneOrOther' else 'one or more'}"
    if type(count := getattr(built, "n", 1)) is not int or count < 1:
        return f"n: {count!r}: allowed: whole numbers from 1"
    if name == "SelectiveChannelTransform":
        if set(built.channels) - {0, 1, 2}:
            return f"channels: {list(built.channels)!r}: allowed: 0, 1 and 2"
        if moving := [type(leaf).__name__ for leaf in leaves(built) if moves(leaf)]:
            return f"{moving[0]} would move an object in some channels and not in the others"
    return None


def _arguments_of(cls: Any) -> list[str]:
    return [key for key in _parameters(cls) if cls.__name__ not in _COMPOSITIONS or key not in _UNUSED]


def _parameters(cls: Any) -> list[str]:
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    parameters = inspect.signature(cls.__init__).parameters.values()
    return [one.name for one in parameters if one.name != "self" and one.kind not in kinds]


def _try(leaf: Any) -> None:
    """
    Raises:
        ValueError: it fails on a small and on a large image, or gives something else than an image.
    """
    for side_px in _TRIAL_SIDES_PX:
        pixels = np.random.default_rng(0).integers(0, 256, (side_px, side_px, 3), np.uint8)
        box = [side_px // 4, side_px // 4, side_px // 2, side_px // 2]
        try:
            run(leaf, Sample(pixels, Objects.of([box])), 0, force_apply=True)
            return
        except ValueError as error:
            reason = str(error)
    raise ValueError(f"{type(leaf).__name__}: {reason}")
