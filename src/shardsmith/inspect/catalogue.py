"""The steps there are to choose from: `shardsmith steps`, from the catalogue itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shardsmith.formats.registry import WRITERS
from shardsmith.transforms.albumentations.step import Albumentations
from shardsmith.transforms.base import RandomStep, Recolour
from shardsmith.transforms.boxes import STEPS as IN_BOXES
from shardsmith.transforms.catalogue import AUGMENT, OPERATIONS, PREPROCESS, Step
from shardsmith.transforms.scene import SetStep
from shardsmith.transforms.steps.cutout import Cover
from shardsmith.transforms.steps.mosaic import Mosaic
from shardsmith.transforms.steps.parts import IsolateObjects, Tile

BLOCKS: dict[str, dict[str, type[Step]]] = {"preprocess": PREPROCESS, "augment": AUGMENT}
WRITTEN = tuple(WRITERS)
TITLES = {
    "preprocess": "every image of every split, in the order listed",
    "augment": "random copies of the train images",
}
SHARED = tuple(RandomStep.model_fields)
_FOLLOW = "move with the pixels"
_STAY = "stay as they are"
_OF_STEP: dict[type[Step], str] = {
    Tile: f"{_FOLLOW}, each to the tiles that show it",
    IsolateObjects: "go: the class becomes the label of the whole image",
    Mosaic: f"{_FOLLOW}; those of the other images come in",
    Albumentations: f"{_FOLLOW}, where a transform moves any",
    **dict.fromkeys(IN_BOXES.values(), "follow what moves inside their box; the box itself stays"),
}
_OF_OPERATOR: dict[type, str] = {
    Recolour: _STAY,
    Cover: f"{_STAY}; what is painted over counts as cut off",
}
_COLOUR = "#[0-9a-fA-F]{6}"


@dataclass(frozen=True)
class Parameter:
    """One of a step's parameters.

    values: what is allowed, in words.
    default: as params.yaml has it; None where there is none.
    """

    name: str
    values: str
    default: str | None
    description: str


@dataclass(frozen=True)
class StepRow:
    """One step of a block of params.yaml; objects: what becomes of boxes, polygons and masks."""

    block: str
    name: str
    summary: str
    objects: str
    parameters: tuple[Parameter, ...]

    @property
    def own(self) -> list[Parameter]:
        """The parameters, without those that every step of augment has alike."""
        shared = parameters_of(RandomStep) if self.block == "augment" else ()
        return [one for one in self.parameters if one not in shared]


def step_rows() -> list[StepRow]:
    """Every step of every block, in the order of the catalogue."""
    return [
        StepRow(block, name, _summary(step), _objects(name, step), parameters_of(step))
        for block, steps in BLOCKS.items()
        for name, step in steps.items()
    ]


def parameters_of(step: type[Step]) -> tuple[Parameter, ...]:
    """A step's own ones before those that it shares with others."""
    schema = step.model_json_schema()
    found = {
        name: Parameter(name, _values(rules), _default(name, schema), rules.get("description", ""))
        for name, rules in schema["properties"].items()
    }
    own = [name for name in found if name not in SHARED] if issubclass(step, RandomStep) else list(found)
    return tuple(found[name] for name in dict.fromkeys([*own, *found]))


def steps_text() -> list[str]:
    """Lines for a terminal."""
    lines = []
    for block, title in TITLES.items():
        lines += [f"{block}: {title}", ""]
        for row in (row for row in step_rows() if row.block == block):
            lines += [f"  {row.name}: {row.summary}", f"    boxes, polygons and masks {row.objects}"]
            lines += [*_in_columns(row.own, "    "), ""]
        if block == "augment":
            lines += ["  and each of them also takes", *_in_columns(parameters_of(RandomStep), "    ")]
    return lines


def steps_markdown() -> str:
    """docs/steps.md."""
    lines = [
        "# Steps",
        "",
        "What `preprocess.steps` and `augment.steps` in params.yaml can list, each as `- NAME: {parameter: value}`. "
        "`shardsmith steps` prints the same; `shardsmith preview --step NAME` shows what one does to your own images.",
        "",
        "An object of which less than `min_visibility` is left on an image, or less than `min_size_px` in width or "
        "height, is left out there, and named in the findings.",
        "",
        "<!-- written by `python -m docs.steps` from shardsmith/transforms; do not edit -->",
    ]
    for block, title in TITLES.items():
        lines += ["", f"## {block}: {title}"]
        for row in (row for row in step_rows() if row.block == block):
            lines += ["", f"### `{row.name}`", "", f"{row.summary} Boxes, polygons and masks {row.objects}."]
            lines += _as_table(row.own)
        if block == "augment":
            lines += ["", "### What every step of augment takes", *_as_table(parameters_of(RandomStep))]
    return "\n".join(lines) + "\n"


def _summary(step: type[Step]) -> str:
    return (step.__doc__ or "").strip().partition("\n")[0]


def _objects(name: str, step: type[Step]) -> str:
    """By the operator of the step's name: the step has the same kind."""
    if step in _OF_STEP or issubclass(step, SetStep):
        return _OF_STEP.get(step, f"that are kept {_STAY}")
    return _OF_OPERATOR.get(type(OPERATIONS.get(name)), _FOLLOW)


def _values(rules: Mapping[str, Any]) -> str:
    """JSON schema in words."""
    if "anyOf" in rules:
        return " or ".join(_values(one) for one in rules["anyOf"])
    if "enum" in rules:
        return _one_of(rules["enum"])
    if _COLOUR in rules.get("pattern", ""):
        return _one_of(rules["pattern"].strip("^($)").replace(_COLOUR, "'#rrggbb'").split("|"))
    kind = str(rules.get("type", "anything"))
    if kind == "array":
        return f"list of {_values(rules.get('items', {}))}"
    if kind in ("integer", "number"):
        return " ".join(["whole number" if kind == "integer" else "number", *_range(rules)])
    return {"boolean": "true or false", "string": "text", "object": "mappings"}.get(kind, kind)


def _one_of(words: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _range(rules: Mapping[str, Any]) -> list[str]:
    words = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "to below"}
    return [f"{word} {rules[key]:g}" for key, word in words.items() if key in rules]


def _default(name: str, schema: Mapping[str, Any]) -> str | None:
    """As YAML."""
    if name in schema.get("required", []):
        return None
    value = schema["properties"][name].get("default")
    if isinstance(value, list):
        return f"[{', '.join(map(str, value))}]"
    return value if isinstance(value, str) else json.dumps(value)


def _in_columns(parameters: Sequence[Parameter], indent: str) -> list[str]:
    cells = [(one.name, one.values, _shown_default(one)) for one in parameters]
    widths = [max((len(row[column]) for row in cells), default=0) for column in range(3)]
    return [
        indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + f"  {one.description}"
        for row, one in zip(cells, parameters, strict=True)
    ]


def _shown_default(one: Parameter) -> str:
    return "needed" if one.default is None else one.default


def _as_table(parameters: Sequence[Parameter]) -> list[str]:
    if not parameters:
        return []
    rows = [
        f"| `{one.name}` | {one.values} | {f'`{one.default}`' if one.default is not None else 'needed'} "
        f"| {one.description.replace('|', chr(92) + '|')} |"
        for one in parameters
    ]
    return ["", "| parameter | values | default | |", "| --- | --- | --- | --- |", *rows]


def albumentations_names() -> list[str]:
    """Every transform that the step albumentations takes."""
    from shardsmith.transforms.albumentations.checks import names  # imports the library: 0.3 s

    return names()
