"""What a person sets a value with: made from the models that check params.yaml, so that the two cannot differ."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel

from shardsmith.app.render import texts
from shardsmith.inspect.catalogue import BLOCKS, SHARED, StepRow, step_rows

Kind = Literal["integer", "number", "choice", "choices", "flag", "text", "list", "json"]
COMMON = (
    "preprocess.resize",
    "preprocess.tile",
    "augment.flip",
    "augment.rotate",
    "augment.brightness",
    "augment.blur",
)
MOST_OF_SLIDER = 400  # a wider range is typed
# what a step begins with where its model has no default that works
STARTS: dict[str, dict[str, Any]] = {
    "preprocess.resize": {"width": 640, "height": 640},
    "preprocess.tile": {"rows": 2, "columns": 2},
    "preprocess.filter_tags": {"keep": ["..."]},
    "preprocess.filter_classes": {"keep": ["..."]},
    "preprocess.random_sample": {"images": 100},
    "augment.albumentations": {"transforms": [{"RandomFog": {}}]},
}


@dataclass(frozen=True)
class Control:
    """One value.

    given: whether it stands in params.yaml, and so is sent even where it is the default.
    least, most: None for no bound. step: of the slider.
    choices: of a choice; of a text, what it may be beside `#rrggbb`.
    is_optional: empty is None.
    """

    name: str
    kind: Kind
    help: str
    value: Any
    default: Any
    given: bool = False
    is_optional: bool = False
    least: float | None = None
    most: float | None = None
    step: float = 1
    choices: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return in_words(self.name)

    @property
    def has_slider(self) -> bool:
        return self.least is not None and self.most is not None and self.most - self.least <= MOST_OF_SLIDER


@dataclass(frozen=True)
class Card:
    """One step, with what sets it.

    own, shared: its own values, and those that every step has. on: whether it is done.
    """

    block: str
    name: str
    title: str
    summary: str
    objects: str
    group: str
    own: tuple[Control, ...]
    shared: tuple[Control, ...] = ()
    on: bool = True

    @property
    def key(self) -> str:
        return f"{self.block}.{self.name}"


def in_words(name: str) -> str:
    """ "only_shrink" as "Only shrink"."""
    return name.replace("_", " ").capitalize()


def controls(model: type[BaseModel], values: Mapping[str, Any], names: Iterable[str] = ()) -> list[Control]:
    """Of each of a model's values, or of those named.

    Args:
        values: that it has; any other is at its default.
    """
    schema = model.model_json_schema()
    rules = schema["properties"]
    return [_control(name, rules[name], schema, values) for name in names or rules]


def card(key: str, values: Mapping[str, Any] | None = None, on: bool = True, classes: Sequence[str] = ()) -> Card:
    """A step's.

    Args:
        key: "augment.flip".
        values: as params.yaml lists the step; None to begin with.
        classes: of the dataset: what a step that needs some begins with.

    Raises:
        KeyError: there is no such step.
    """
    block, _, name = key.partition(".")
    model = BLOCKS[block][name]
    row = _rows()[key]
    start = dict(STARTS.get(key, {}))
    if key == "preprocess.filter_classes" and classes:
        start = {"keep": list(classes)}
    every = controls(model, start if values is None else values)
    shared = SHARED if block == "augment" else ()
    own = tuple(one for one in every if one.name not in shared)
    rest = tuple(one for one in every if one.name in shared)
    group = texts()["new"]["groups"].get(model.__module__.rpartition(".")[2], texts()["new"]["other"])
    return Card(block, name, in_words(name), row.summary, row.objects, group, own, rest, on)


def cards_listed(block: str, steps: Sequence[Mapping[str, Any]], on: bool) -> list[Card]:
    """Those of params.yaml's list."""
    return [card(f"{block}.{name}", values or {}, on) for entry in steps for name, values in entry.items()]


def every_card(classes: Sequence[str] = ()) -> list[Card]:
    """The catalogue, each as it begins."""
    return [card(f"{block}.{name}", classes=classes) for block, steps in BLOCKS.items() for name in steps]


def arguments(card: Card) -> dict[str, Any]:
    """What params.yaml is to say of a card as it stands: what is given, or is not the default."""
    return {one.name: one.value for one in (*card.own, *card.shared) if one.given or one.value != one.default}


@cache
def _rows() -> dict[str, StepRow]:
    return {f"{row.block}.{row.name}": row for row in step_rows()}


def _control(name: str, rules: Mapping[str, Any], schema: Mapping[str, Any], values: Mapping[str, Any]) -> Control:
    default = None if name in schema.get("required", ()) else rules.get("default")
    either = next(one for one in rules.get("anyOf", [rules]) if one.get("type") != "null")
    value = values.get(name, default)
    value = int(value) if isinstance(value, float) and value.is_integer() else value
    made = Control(
        name,
        "text",
        rules.get("description") or texts()["new"]["helps"].get(name, ""),
        value,
        default,
        name in values,
        "anyOf" in rules,
        **_bounds(either),
    )
    kind = either.get("type")
    if "enum" in either:
        return replace(made, kind="choice", choices=tuple(either["enum"]))
    if kind == "array":
        items = either.get("items", {})
        if "enum" in items:
            return replace(made, kind="choices", choices=tuple(items["enum"]))
        return replace(made, kind="list" if items.get("type") == "string" else "json")
    if kind == "string":
        pattern = either.get("pattern", "")
        return replace(made, choices=tuple(word for word in pattern.strip("^$()").split("|") if word.isalpha()))
    kinds: dict[str, Kind] = {"integer": "integer", "number": "number", "boolean": "flag"}
    return replace(made, kind=kinds.get(str(kind), "json"))


def _bounds(rules: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a slider: one that stands outside what is allowed is a step further in."""
    least, most = (
        rules.get("minimum", rules.get("exclusiveMinimum")),
        rules.get("maximum", rules.get("exclusiveMaximum")),
    )
    if least is None or most is None:
        return {"least": least, "most": most}
    step = 1 if rules.get("type") == "integer" else 10.0 ** min(math.floor(math.log10((most - least) / 20)), 0)
    return {
        "least": least + (step if "exclusiveMinimum" in rules else 0),
        "most": most - (step if "exclusiveMaximum" in rules else 0),
        "step": step,
    }
