"""One planted instance of every finding is reported, in its place; the clean sample has none."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

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
from staged import run_stage, run_stages

from docs import findings as docs_findings
from shardsmith.conversion.check import check
from shardsmith.dataset.codes import CATALOGUE
from shardsmith.dataset.findings import Finding
from shardsmith.formats.losses import losses_of_export
from shardsmith.pipeline.params import Params, parse_params
from shardsmith.pipeline.splits.decisions import read_decisions
from shardsmith.pipeline.splits.record import read_record
from shardsmith.pipeline.stage import read_stage
from shardsmith.sample.writer import write_sample

ALL = PLANTED | IN_GROUPS | REMEMBERED | IN_CROWDS | OF_MASKS | OF_FORMATS | OF_STEPS


def by_code(findings: list[Finding]) -> dict[str, list[Finding]]:
    found = defaultdict(list)
    for finding in findings:
        found[finding.code].append(finding)
    return found


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Finding]]:
    folder = tmp_path_factory.mktemp("planted")
    plant(folder)
    found = by_code(check(folder, parse_params(PARAMS)).findings)
    grouped = by_code(check(folder, parse_params(GROUPED)).findings)
    plant_crowds(folder / "crowds")
    crowds = by_code(check(folder / "crowds", parse_params(PARAMS)).findings)
    plant_formats(folder / "formats")
    in_formats = by_code(check(folder / "formats", parse_params("split: {strategy: source}")).findings)
    plant_memory(folder / "memory")
    remembered = read_decisions(folder / "memory/decisions.csv"), read_record(folder / "memory/splits.csv")
    memory = by_code(check(folder / "memory/raw", parse_params(MEMORY), *remembered).findings)
    found |= {code: memory[code] for code in REMEMBERED}
    found |= {code: grouped[code] for code in IN_GROUPS} | {code: crowds[code] for code in IN_CROWDS}
    plant_masks(folder / "masks")
    masks = by_code(check(folder / "masks", parse_params("split: {strategy: stable}")).findings)
    found |= {code: masks[code] for code in OF_MASKS}
    found |= {code: in_formats[code] for code in OF_FORMATS}
    return found | of_steps(tmp_path_factory.mktemp("steps"))


def of_steps(folder: Path) -> dict[str, list[Finding]]:
    """Of all stages; the ledger balances, else they would stop."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("SHARDSMITH_WORKERS", "1")
        plant_for_steps(folder / "data/raw")
        run_stages(STEPS)
        manifest, findings = read_stage(Path("data/augment"))
        losses = losses_of_export(manifest, ["voc"], masks=False)
        counts = json.loads(Path("data/metrics.json").read_text())["findings"]
        run_stage("report", "data/augment data/ingest data/label_map.pbtxt data/report")
        page = Path("data/report/index.html").read_text()
    assert [code for code in OF_STEPS if f'id="{code}"' not in page] == []
    found = by_code([*findings, *losses])
    assert {code: counts.get(code, 0) for code in OF_STEPS} == {code: len(found[code]) for code in OF_STEPS}
    return {code: found[code] for code in OF_STEPS}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("clean") / "sample"
    write_sample(folder, "voc")
    return {finding.code for finding in check(folder, Params()).findings}


pytestmark = pytest.mark.xdist_group("planted")


def test_every_code_is_planted() -> None:
    assert set(ALL) == set(CATALOGUE), "a new code needs its place in tests/planted.py"


def test_nothing_else_is_found(planted: dict[str, list[Finding]]) -> None:
    assert set(planted) == set(ALL)


@pytest.mark.parametrize("code", sorted(ALL))
def test_what_is_planted_is_found_in_its_place(code: str, planted: dict[str, list[Finding]]) -> None:
    found = planted.get(code, [])
    assert ALL[code].file in [finding.file for finding in found]
    assert len(found) == ALL[code].times, [str(finding) for finding in found]


def test_the_clean_sample_has_none(clean: set[str]) -> None:
    assert clean == set()


def test_the_docs_list_every_code() -> None:
    path = Path(docs_findings.__file__).with_suffix(".md")
    assert path.read_text(encoding="utf-8") == docs_findings.page(), "run python -m docs.findings"
