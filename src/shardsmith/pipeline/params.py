"""params.yaml, typed and checked: every stage reads it through `load_params`, so a wrong value stops all work.

It stands above the catalogues it checks against (formats, transforms). A stage's bytes do not depend on them through
this module: it only says yes or no, and passes on the values that dvc.lock records.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from shardsmith.dataset.codes import CATALOGUE, OWN, Action
from shardsmith.dataset.errors import ParamsError, suggest
from shardsmith.dataset.yaml import YamlError, load_yaml
from shardsmith.formats.choice import hint
from shardsmith.formats.registry import PANLABEL, READERS, WRITERS
from shardsmith.transforms.problems import explain, keys

PARAMS_FILE = Path("params.yaml")
_MOST_CHARACTERS = 100_000  # two seconds of reading
Fraction = Annotated[float, Field(ge=0, le=1)]


def _one_of(names: list[str], forms: Collection[str] = ()) -> AfterValidator:
    """One of `names`, or of `forms` (`panlabel:udacity`), which are listed only to who wrote one."""

    def check(value: str) -> str:
        if value not in names and value not in forms:
            known = forms if forms and ":" in value else names
            raise ValueError(f"{hint(value, [*known])}allowed: {', '.join(known)}")
        return value

    return AfterValidator(check)


def _is_pattern(value: str) -> str:
    try:
        groups = re.compile(value).groups
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    if groups != 1:
        raise ValueError("allowed: a regular expression with exactly one (group)")
    return value


class Block(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class DatasetParams(Block):
    """dataset: what it is called, and what its labels are labels of."""

    name: str = Field("sample", pattern=r"^[a-z][a-z0-9_]*$", max_length=64)
    annotation_group: str = Field("objects", min_length=1, max_length=200)
    description: str = Field("", max_length=10_000)
    license: str = Field("", max_length=1_000)
    citation: str = Field("", max_length=10_000)
    homepage: str = Field("", max_length=1_000)

    def facts(self) -> dict[str, str]:
        """What is said here of the dataset; "" leaves it to the source."""
        return {name: getattr(self, name) for name in ("description", "license", "citation", "homepage")}


class IngestParams(Block):
    """ingest: how data/raw is read."""

    format: Annotated[str, _one_of(["auto", *READERS], PANLABEL)] = "auto"
    unlabelled: Literal["drop", "negative", "keep"] = "drop"
    orientation: Literal["auto", "displayed", "stored"] = "auto"
    classes: dict[str, str | int | None] = {}

    @model_validator(mode="after")
    def _check_classes(self) -> IngestParams:
        pins = [target for target in self.classes.values() if isinstance(target, int)]
        if any(isinstance(pin, bool) or pin < 1 for pin in pins) or len(set(pins)) < len(pins):
            raise ValueError("classes: each pinned id is a whole number from 1, and no two classes share one")
        for source, target in self.classes.items():
            if isinstance(target, str) and (not target.strip() or isinstance(self.classes.get(target), str)):
                raise ValueError(f"classes: {source!r}: {target!r} is itself empty or renamed; name the final class")
        return self


class ValidateParams(Block):
    """validate: what is done about each finding."""

    max_over_edge: Fraction = 0.05
    tiny_box_px: float = Field(3, ge=0)
    near_identical: int = Field(20, ge=0, le=40)
    actions: dict[str, Action] = {}

    @model_validator(mode="after")
    def _check_actions(self) -> ValidateParams:
        for code, action in self.actions.items():
            if code not in CATALOGUE and not code.startswith(OWN):
                raise ValueError(f"actions: unknown code {code!r}; {suggest(code, list(CATALOGUE))}")
            if action not in CATALOGUE[code].allowed:
                raise ValueError(f"actions: {code}: {action!r}; allowed: {', '.join(CATALOGUE[code].allowed)}")
        return self


class Fractions(Block):
    """The share of the images for each split; together 1."""

    train: Fraction = 0.7
    valid: Fraction = 0.2
    test: Fraction = 0.1

    @model_validator(mode="after")
    def _check_sum(self) -> Fractions:
        total = self.train + self.valid + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"train, valid and test are {total:g} together; allowed: shares that make 1")
        return self


class SplitParams(Block):
    """split: which image goes to train, valid or test."""

    strategy: Literal["stable", "stratified", "source"] = "stable"
    fractions: Fractions = Fractions()
    seed: int = 0
    era: int = Field(1, ge=1)
    group_pattern: Annotated[str, AfterValidator(_is_pattern)] | None = None


class StepsParams(Block):
    """A switch and a list of steps, each `name: {parameter: value}`."""

    enabled: bool = False
    steps: list[dict[str, dict[str, Any] | None]] = []
    min_visibility: Fraction = 0.1
    min_size_px: float = Field(1, ge=0)
    image_format: Literal["same", "jpeg", "png", "webp"] = "same"
    quality: int = Field(95, ge=1, le=100)


class PreprocessParams(StepsParams):
    """preprocess: steps for every image of every split, in the order listed."""


class AugmentParams(StepsParams):
    """augment: random copies of each train image."""

    copies: int = Field(2, ge=1, le=100)
    keep_original: bool = True
    balance: bool = False
    splits: Annotated[list[Literal["train", "valid", "test"]], Field(min_length=1)] = ["train"]
    seed: int = 0


class RequireParams(Block):
    """What a dataset must have before it is exported; nothing by default."""

    min_images: int | None = Field(None, ge=1)
    min_images_per_class: int | None = Field(None, ge=1)
    max_dropped_share: Fraction | None = None
    splits: list[Literal["train", "valid", "test"]] = []


class ExportParams(Block):
    """export: the formats a version is written in, and what a dataset must have for it."""

    formats: Annotated[list[Annotated[str, _one_of(list(WRITERS))]], Field(min_length=1)] = ["tfrecord"]
    shard_size_mb: float = Field(16, gt=0)
    min_shards: int = Field(1, ge=1, le=1024)
    era: int = Field(1, ge=1)
    masks: bool = False
    on_loss: Literal["report", "fail"] = "report"
    require: RequireParams = RequireParams()


class Params(Block):
    """All of params.yaml: one block per stage, with the stage's name."""

    dataset: DatasetParams = DatasetParams()
    ingest: IngestParams = IngestParams()
    validate_: ValidateParams = Field(ValidateParams(), alias="validate")
    split: SplitParams = SplitParams()
    preprocess: PreprocessParams = PreprocessParams()
    augment: AugmentParams = AugmentParams()
    export: ExportParams = ExportParams()


def load_params(path: Path = PARAMS_FILE) -> Params:
    """
    Raises:
        ParamsError: the file is missing, is not YAML, or holds a key or value that is not allowed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ParamsError(f"{path}: no such file; run from the workspace's top folder") from None
    except UnicodeDecodeError as error:
        raise ParamsError(f"{path}: not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8") from None
    return parse_params(text, str(path))


def parse_params(text: str, where: str = "params.yaml", root: Path = Path()) -> Params:
    """The params of a text in YAML.

    Args:
        where: its name, for messages.
        root: the workspace, in which steps name files.

    Raises:
        ParamsError: all that is wrong, a line each: key, value, what is allowed.
    """
    try:
        content = load_yaml(text, _MOST_CHARACTERS) or {}
    except YamlError as error:
        raise ParamsError(f"{where}{error.place}: {error}; correct it") from None
    if not isinstance(content, dict):
        raise ParamsError(f"{where}: {content!r}: not a mapping of blocks; allowed: {', '.join(keys(Params))}")
    try:
        params = Params.model_validate(content)
    except ValidationError as error:
        raise ParamsError("\n".join(f"{where}: {line}" for line in explain(error, Params))) from None
    if problems := _wrong_steps(params, root):
        raise ParamsError("\n".join(f"{where}: {line}" for line in problems))
    return params


def _wrong_steps(params: Params, root: Path) -> list[str]:
    if not params.preprocess.steps and not params.augment.steps:
        return []
    from shardsmith.transforms.catalogue import AUGMENT, PREPROCESS  # 0.1 s

    problems = _check_steps("preprocess", params.preprocess, PREPROCESS, root)
    return problems + _check_steps("augment", params.augment, AUGMENT, root)


def _check_steps(block: str, params: StepsParams, catalogue: Mapping[str, type[BaseModel]], root: Path) -> list[str]:
    problems = []
    for number, step in enumerate(params.steps):
        place = f"{block}.steps[{number}]"
        if len(step) != 1:
            problems.append(f"{place}: {step!r}: each step is one `name: {{parameter: value}}`")
            continue
        ((name, arguments),) = step.items()
        if name not in catalogue:
            problems.append(f"{place}: unknown step {name!r}; {suggest(name, list(catalogue))}")
            continue
        try:
            catalogue[name].model_validate(arguments or {}, context={"root": root})
        except ValidationError as error:
            problems += explain(error, catalogue[name], f"{place}.{name}" + ".")
    return problems
