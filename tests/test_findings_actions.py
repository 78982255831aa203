"""validate.actions: every code with every action does what it says, or is refused; remedies name keys that exist."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from planted import (
    GROUPED,
    IN_CROWDS,
    IN_GROUPS,
    MEMORY,
    OF_FORMATS,
    OF_MASKS,
    OF_STEPS,
    PARAMS,
    PLANTED,
    REMEMBERED,
    STEPS,
    plant,
    plant_crowds,
    plant_for_steps,
    plant_formats,
    plant_masks,
    plant_memory,
)
from staged import run_stages

import shardsmith.pipeline.validate as validation
from shardsmith.dataset.codes import ACTIONS, CATALOGUE, Action
from shardsmith.dataset.errors import FindingError, ParamsError
from shardsmith.dataset.findings import Finding
from shardsmith.dataset.label_map import LabelMap
from shardsmith.ledger.balance import balance
from shardsmith.pipeline.checks.kept import decode
from shardsmith.pipeline.ingest import ingest
from shardsmith.pipeline.params import Params, parse_params
from shardsmith.pipeline.splits.decisions import Decisions, read_decisions
from shardsmith.pipeline.splits.record import Record, read_record
from shardsmith.pipeline.splits.split import split
from shardsmith.pipeline.stage import read_stage
from shardsmith.pipeline.validate import validate

pytestmark = pytest.mark.xdist_group("planted")
ALLOWED = [(code, action) for code, rule in CATALOGUE.items() for action in rule.allowed]
REFUSED = [(code, action) for code, rule in CATALOGUE.items() for action in ACTIONS if action not in rule.allowed]
OF_INGEST = list(CATALOGUE)[: list(CATALOGUE).index("image-unreadable")]


def acting(text: str, code: str, action: Action) -> Params:
    return parse_params(f"{text}\nvalidate: {{actions: {{{code}: {action}}}}}\n")


class Read:
    """The planted folder as ingest reads it with some params, and decoded, once for all tests."""

    def __init__(self, folder: Path, text: str, remembered: tuple[Decisions, Record] | None = None) -> None:
        self.text = text
        self.decisions, self.record = remembered or (Decisions(), Record())
        self.manifest, _, self.findings, _ = ingest(folder, parse_params(text).ingest, LabelMap("sample"))
        self.seen = dict(zip(self.paths(self.manifest.images), decode(self.manifest.images), strict=True))

    @staticmethod
    def paths(images: pa.Table) -> list[str]:
        return images["path"].to_pylist()

    def run(self, code: str, action: Action) -> list[Finding]:
        """What validate and split find; the ledger says that what they dropped, and nothing else, is gone."""
        params = acting(self.text, code, action)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                validation, "decode", lambda images, keeping: [self.seen[path] for path in self.paths(images)]
            )
            valid, found = validate(self.manifest, self.findings, params, self.decisions)
        balance(
            "validate", self.manifest, valid, found[len(self.findings) :], sets=["group", "annotated", "tags", "pixels"]
        )
        done, own = split(valid, params, self.decisions, self.record)
        balance("split", valid, done, own, sets=["group", "split"])
        return [*found, *own]


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Read]:
    folder = tmp_path_factory.mktemp("planted")
    plant(folder)
    one, other = Read(folder, PARAMS), Read(folder, GROUPED)
    plant_crowds(folder / "crowds")
    crowds = Read(folder / "crowds", PARAMS)
    plant_formats(folder / "formats")
    plant_masks(folder / "masks")
    masks = Read(folder / "masks", "split: {strategy: stable}")
    plant_memory(folder / "memory")
    remembered = read_decisions(folder / "memory/decisions.csv"), read_record(folder / "memory/splits.csv")
    fourth = Read(folder / "memory/raw", MEMORY, remembered)
    third = Read(folder / "formats", "split: {strategy: stable}")
    return (
        dict.fromkeys(PLANTED, one)
        | dict.fromkeys(IN_GROUPS, other)
        | dict.fromkeys(REMEMBERED, fourth)
        | dict.fromkeys(IN_CROWDS, crowds)
        | dict.fromkeys(OF_FORMATS, third)
        | dict.fromkeys(OF_MASKS, masks)
    )


@pytest.mark.parametrize(("code", "action"), [one for one in ALLOWED if one[0] not in OF_STEPS])
def test_an_allowed_action_is_taken(code: str, action: Action, read: dict[str, Read]) -> None:
    if action == "fail":
        with pytest.raises(FindingError, match=rf"says to fail on .*\n  \w+ {code}: "):
            read[code].run(code, action)
    elif code in OF_INGEST and action != CATALOGUE[code].action:
        with pytest.raises(ParamsError, match=rf"{code}: {action}: ingest already chose .*; leave the code out"):
            read[code].run(code, action)
    else:
        taken = {finding.action for finding in read[code].run(code, action) if finding.code == code}
        # of a box with nothing in the image nothing can be repaired
        assert taken == {"drop" if (code, action) == ("box-outside-image", "repair") else action}


@pytest.fixture(scope="module")
def at_split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("steps")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        plant_for_steps(folder / "data/raw")
        run_stages(STEPS, ["ingest", "validate", "split"])
    return folder


@pytest.mark.parametrize(("code", "action"), [one for one in ALLOWED if one[0] in OF_STEPS])
def test_an_allowed_action_of_a_step_is_taken(
    code: str, action: Action, at_split: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(at_split / "data", tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHARDSMITH_WORKERS", "1")
    text = f"{STEPS}\nvalidate: {{actions: {{{code}: {action}}}}}\n"
    if action == "fail":
        with pytest.raises(FindingError, match=rf"says to fail on .*\n  \w+ {code}: "):
            run_stages(text, ["preprocess", "augment"])
    else:
        run_stages(text, ["preprocess", "augment", "export"])
        taken = {finding.action for finding in read_stage(Path("data/augment"))[1] if finding.code == code}
        assert taken == (set() if code == "not-exported" else {action})


@pytest.mark.parametrize(("code", "action"), REFUSED)
def test_another_action_is_refused_with_those_that_are_allowed(code: str, action: Action) -> None:
    allowed = ", ".join(CATALOGUE[code].allowed)
    with pytest.raises(ParamsError, match=rf"validate: actions: {code}: '{action}'; allowed: {allowed}$"):
        acting("", code, action)


def test_an_unknown_code_is_refused_with_one_like_it() -> None:
    with pytest.raises(ParamsError, match="unknown code 'box-emty'; did you mean box-empty"):
        acting("", "box-emty", "drop")


@pytest.mark.parametrize("code", CATALOGUE)
def test_a_key_that_a_remedy_names_is_one_of_params(code: str) -> None:
    rule, params = CATALOGUE[code], Params()
    for block, key in re.findall(
        r"\b(ingest|validate|split|preprocess|augment|export)\.(\w+)", rule.meaning + "; " + rule.remedy
    ):
        assert hasattr(getattr(params, "validate_" if block == "validate" else block), key), f"{block}.{key}"
