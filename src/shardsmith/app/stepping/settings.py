"""What a person chose, as `--set` takes it: the keys that differ from params.yaml, and what is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from shardsmith.app.opened import Dataset
from shardsmith.dataset.errors import ParamsError
from shardsmith.inspect.catalogue import BLOCKS
from shardsmith.pipeline.params import Params, parse_params
from shardsmith.transforms.catalogue import build_steps
from shardsmith.workspace.settings import with_settings

_OF_STEPS = ("enabled", "steps", "min_visibility", "min_size_px", "image_format", "quality")
KEYS = (
    *("split.strategy", "split.fractions", "split.era"),
    *(f"preprocess.{name}" for name in _OF_STEPS),
    *(f"augment.{name}" for name in (*_OF_STEPS, "copies", "keep_original", "balance", "seed")),
    "export.formats",
    *(f"export.require.{name}" for name in ("min_images", "min_images_per_class", "max_dropped_share")),
)
_WHERE = "--set"


@dataclass(frozen=True)
class Chosen:
    """params: None where something is wrong; problems: key -> what, in the words of the check."""

    params: Params | None
    problems: Mapping[str, str]


@dataclass(frozen=True)
class Difference:
    """One key that is not as params.yaml has it, in words."""

    key: str
    was: str
    will: str


def present(params: Params) -> dict[str, Any]:
    """Key -> value, of what the page can set."""
    content = params.model_dump(by_alias=True, mode="json")
    return {key: _at(content, key) for key in KEYS}


def choose_params(dataset: Dataset, settings: Mapping[str, Any]) -> Chosen:
    """params.yaml with the settings, checked as a build does."""
    return _chosen(dataset.workspace.params_text(), json.dumps(settings), dataset.root)


@lru_cache(maxsize=16)
def _chosen(text: str, settings: str, root: Path) -> Chosen:
    """Kept: one change of a value asks several times, and comments make it slow."""
    try:
        return Chosen(parse_params(with_settings(text, json.loads(settings), root), _WHERE, root), {})
    except ParamsError as error:
        lines = (line.removeprefix(f"{_WHERE}: ").partition(": ") for line in str(error).splitlines())
        return Chosen(None, {key: said or key for key, _, said in lines})


def differences(before: Params, after: Params) -> list[Difference]:
    """What is not as it was, in the order of params.yaml."""
    old, new = present(before), present(after)
    return [Difference(key, _said(key, old[key]), _said(key, new[key])) for key in KEYS if old[key] != new[key]]


def _at(content: Any, key: str) -> Any:
    for part in key.split("."):
        content = content[part]
    if key.endswith(".steps"):
        return [{name: values or {} for name, values in step.items()} for step in content]
    return content


def _said(key: str, value: Any) -> str:
    if key.endswith(".steps"):
        return "; ".join(_in_words(key.partition(".")[0], value)) or "-"
    if isinstance(value, dict):
        return ", ".join(f"{name} {share:.0%}" for name, share in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    if isinstance(value, bool):
        return "on" if value else "off"
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _in_words(block: str, steps: Sequence[Mapping[str, Any]]) -> list[str]:
    return [step.describe() for step in build_steps(steps, BLOCKS[block])]
