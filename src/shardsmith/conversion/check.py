"""`shardsmith check`: everything that ingest, validate and split have to say about a dataset, without building it."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from shardsmith.conversion.options import in_own_words, make_params
from shardsmith.dataset.archive import opened
from shardsmith.dataset.boxes import LOST
from shardsmith.dataset.codes import CATALOGUE, SEVERITIES, Severity
from shardsmith.dataset.findings import Finding, count_codes, count_severities
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import Manifest
from shardsmith.pipeline.ingest import read_raw, take_in
from shardsmith.pipeline.params import Params, parse_params
from shardsmith.pipeline.splits.decisions import Decisions
from shardsmith.pipeline.splits.record import Record
from shardsmith.pipeline.splits.split import split
from shardsmith.pipeline.validate import examine

_PLACES, _PLACE_LENGTH = 3, 60


@dataclass(frozen=True)
class Checked:
    """What was checked, as it came in, and what was found.

    failing: the codes that validate.actions fails on.
    all_lost: whether the source says that it has annotations, and none of them is left.
    """

    read_as: str
    images: int
    boxes: int
    findings: list[Finding]
    failing: frozenset[str] = frozenset()
    all_lost: bool = False


def check(
    source: Path,
    params: Params,
    decisions: Decisions = Decisions(),  # noqa: B008
    record: Record = Record(),  # noqa: B008
) -> Checked:
    """Read a folder or an archive, decode every image and look at every box.

    Splits are looked at where split.strategy makes them; with `source`, where the source has any. Where an action is
    `fail`, all is looked at nevertheless.

    Args:
        decisions: those of a workspace. record: where its images stand.

    Raises:
        RawDataError: the source cannot be read as a dataset.
        StageError: no image is left to look at.
    """
    with opened(source) as folder, in_own_words(), tempfile.TemporaryDirectory(prefix="shardsmith-") as work:
        seen = look_into(folder, params, Path(work), decisions, record)
    counts = seen.manifest.images.num_rows, seen.manifest.annotations.num_rows
    all_lost = not seen.valid.annotations.num_rows and any(map(_is_loss, seen.findings))
    return Checked(seen.read_as, *counts, seen.findings, _failing(params), all_lost)


@dataclass(frozen=True)
class Seen:
    """A source as the stages up to split see it.

    manifest: as ingest writes it. valid: what is left of it, with its splits where there are any.
    facts: what the source says of itself.
    """

    manifest: Manifest
    valid: Manifest
    label_map: LabelMap
    findings: list[Finding]
    read_as: str
    facts: Mapping[str, str]


def look_into(folder: Path, params: Params, work: Path, decisions: Decisions, record: Record) -> Seen:
    """As `check`, with all that it saw.

    Args:
        work: an empty folder, for images that stand inside files of annotations.

    Raises:
        RawDataError: the folder cannot be read as a dataset.
        StageError: no image is left to look at.
    """
    params = _never_failing(params, _failing(params))
    raw, source, read_as = read_raw(folder, params.ingest, work)
    manifest, label_map, findings = take_in(raw, source, params.ingest, LabelMap(params.dataset.name))
    valid, findings = examine(manifest, findings, params, decisions)
    if valid.images.num_rows and (params.split.strategy != "source" or _has_splits(valid)):
        valid, own = split(valid, params, decisions, record)
        findings = [*findings, *own]
    return Seen(manifest, valid, label_map, findings, read_as, source.facts)


def _failing(params: Params) -> frozenset[str]:
    return frozenset(code for code, action in params.validate_.actions.items() if action == "fail")


def check_source(source: str | Path, *, read_as: str = "auto") -> Checked:
    """Look for what is wrong in a dataset.

    Args:
        source: a folder or an archive with images and annotations.
        read_as: its format; "auto" detects it.

    Returns:
        what was found: `checked.findings` lists it.

    Raises:
        ShardsmithError: the source cannot be read as a dataset.
    """
    return check(Path(source), make_check_params(None, read_as))


def make_check_params(params: Params | None, read_as: str) -> Params:
    """Those of the workspace, or for any source: the defaults, with the splits as the source has them.

    Args:
        read_as: the source's format; "auto" leaves it to params.

    Raises:
        UsageError: an unknown format.
    """
    ingest = make_params(read_as, None).ingest
    if params is None:
        return parse_params("split: {strategy: source}").model_copy(update={"ingest": ingest})
    if read_as == "auto":
        return params
    return params.model_copy(update={"ingest": params.ingest.model_copy(update={"format": ingest.format})})


def fails(done: Checked, fail_on: Severity) -> bool:
    """Whether something is as severe as `fail_on`, or of a code that validate.actions fails on, or nothing is left."""
    severe = SEVERITIES[SEVERITIES.index(fail_on) :]
    return done.all_lost or any(
        finding.rule.severity in severe or finding.code in done.failing for finding in done.findings
    )


def rows(done: Checked) -> list[list[str]]:
    """A table with a header: severity, code, how often, what a build does about it, the first few places."""
    lines = [["severity", "code", "count", "a build", "first places"]]
    for code, count in count_codes(done.findings).items():
        of_code = [finding for finding in done.findings if finding.code == code]
        does = "fails" if code in done.failing else ", ".join(sorted({f"{finding.action}s" for finding in of_code}))
        places = [_shown(finding) for finding in of_code[:_PLACES]]
        more = [f"and {count - _PLACES:,} more"] if count > _PLACES else []
        lines.append([CATALOGUE[code].severity, code, f"{count:,}", does, "; ".join([*places, *more])])
    return lines


def remedies(done: Checked) -> list[str]:
    """What each code found means, and what to do."""
    return [f"{code}: {CATALOGUE[code].meaning}; {CATALOGUE[code].remedy}" for code in count_codes(done.findings)]


def headline(done: Checked) -> str:
    lost = "; no annotation of the source is left" if done.all_lost else ""
    return (
        f"check: {done.images:,} images and {done.boxes:,} annotations, read as {done.read_as}; "
        f"{count_severities(done.findings)}{lost}"
    )


def as_json(done: Checked) -> dict[str, Any]:
    counts = Counter(finding.rule.severity for finding in done.findings)
    return {
        "read_as": done.read_as,
        "images": done.images,
        "annotations": done.boxes,
        "severities": {name: counts[name] for name in reversed(SEVERITIES)},
        "codes": count_codes(done.findings),
        "findings": [
            {**asdict(finding), "severity": finding.rule.severity, "remedy": finding.rule.remedy}
            for finding in done.findings
        ],
    }


def _is_loss(finding: Finding) -> bool:
    """Whether it says that an annotation was lost, read or not."""
    lost = finding.action in LOST and (finding.image_id or finding.place)
    return finding.code in ("not-carried", "class-omitted") or bool(lost and finding.rule.severity != "info")


def _never_failing(params: Params, failing: Iterable[str]) -> Params:
    actions = {code: action for code, action in params.validate_.actions.items() if code not in failing}
    return params.model_copy(update={"validate_": params.validate_.model_copy(update={"actions": actions})})


def _has_splits(manifest: Manifest) -> bool:
    return manifest.images["split"].null_count < manifest.images.num_rows


def _shown(finding: Finding) -> str:
    """The place in print: names from the data can hold anything, escape sequences of a terminal too."""
    where = finding.where if finding.file else f"{finding.place} {finding.value}".strip()
    text = "".join(char if char.isprintable() else repr(char)[1:-1] for char in where)
    return text if len(text) <= _PLACE_LENGTH else f"{text[: _PLACE_LENGTH - 3]}..."
