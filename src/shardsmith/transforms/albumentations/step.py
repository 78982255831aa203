"""Any transform of the albumentations library, as a step: the names, or a saved pipeline, that params.yaml lists."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from pydantic import Field, ValidationInfo, model_validator

from shardsmith.dataset.yaml import load_yaml
from shardsmith.transforms.albumentations.checks import checked, known_arguments
from shardsmith.transforms.albumentations.library import Transforms
from shardsmith.transforms.base import Operation, RandomStep

FOLDER = "pipelines"
_SUFFIXES = (".json", ".yaml", ".yml")


class Albumentations(RandomStep):
    """Any transform of the albumentations library by its name, several in order, or a pipeline that it has saved."""

    saved: str | None = Field(None, description=f"a pipeline from albumentations.save: {FOLDER}/NAME.json or .yaml")
    transforms: Transforms = Field(
        min_length=1, description="transforms in order, each NAME: {argument: value}; one of each may stand here itself"
    )

    @model_validator(mode="before")
    @classmethod
    def _read(cls, given: Any, info: ValidationInfo) -> Any:
        """Names that stand here themselves and a file's content become `transforms`: all that is done."""
        if not isinstance(given, dict):
            return given
        kept = {key: value for key, value in given.items() if key in cls.model_fields}
        named = [{key: value} for key, value in given.items() if key not in kept]
        saved = kept.get("saved")
        if bool(named) + bool(saved) + ("transforms" in kept) != 1:
            raise ValueError("allowed: names of transforms, or `saved: FILE`, or `transforms: [...]`")
        root = (info.context or {}).get("root", Path())
        return {**kept, "transforms": checked(read_saved(saved, root) if saved else named or kept["transforms"])}

    def draw(self, rng: np.random.Generator) -> list[Operation]:
        return [("albumentations", {"transforms": self.transforms, "seed": int(rng.integers(2**32))})]

    def in_words(self) -> str:
        return f"pipeline {PurePosixPath(self.saved).name}" if self.saved else in_words(self.transforms)


def in_words(transforms: Sequence[Mapping[str, Mapping[str, Any]]]) -> str:
    return ", ".join(_words_of(name, arguments) for one in transforms for name, arguments in one.items())


def _words_of(name: str, arguments: Mapping[str, Any]) -> str:
    shown = [(key, value) for key, value in arguments.items() if key != "transforms" and (key, value) != ("p", 1)]
    words = ", ".join(f"{key} {value}" for key, value in shown)
    inner = in_words(arguments.get("transforms", []))
    within = ": ".join(part for part in (words, inner) if part)
    return f"{name} ({within})" if within else name


def read_saved(path: object, root: Path = Path()) -> list[dict[str, Any]]:
    """The transforms of a file from albumentations.save. What else its outermost Compose says, of boxes, is left out.

    Args:
        root: the workspace.

    Raises:
        ValueError: it lies elsewhere, cannot be read, or is no such file.
    """
    where = PurePosixPath(str(path))
    if where.parts[:1] != (FOLDER,) or ".." in where.parts or where.suffix not in _SUFFIXES:
        raise ValueError(f"saved: {path!r}: allowed: {FOLDER}/NAME.json or .yaml; DVC looks for changes there alone")
    try:
        text = (root / where).read_text(encoding="utf-8")
        outermost = _from_saved(_parse(text, where.suffix)["transform"])
        compose = outermost.get("Compose", {})
        return compose["transforms"] if compose.get("p") == 1 else [outermost]
    except OSError as error:
        raise ValueError(f"saved: {where}: cannot be read ({error.strerror})") from None
    except (LookupError, TypeError, AttributeError, ValueError, RecursionError) as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise ValueError(f"saved: {where}: not as albumentations.save writes it ({reason})") from None


def _parse(text: str, suffix: str) -> Any:
    return json.loads(text) if suffix == ".json" else load_yaml(text)


def _from_saved(node: dict[str, Any]) -> dict[str, Any]:
    """{"__class_fullname__": NAME, argument: value, ...} -> {NAME: {argument: value}}"""
    name = node["__class_fullname__"].removeprefix("albumentations.")
    arguments = known_arguments(name, {key: value for key, value in node.items() if key != "__class_fullname__"})
    if "transforms" in arguments:
        arguments["transforms"] = [_from_saved(inner) for inner in arguments["transforms"]]
    return {name: arguments}
