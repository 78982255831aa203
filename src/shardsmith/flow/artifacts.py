"""What a build leaves on Prefect's page: the version with its counts, findings, changes and pictures; or what to do."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.assets import Asset, AssetProperties, materialize
from prefect.cache_policies import NO_CACHE
from prefect.events import emit_event

from shardsmith.compare.report import text as diff_text
from shardsmith.compare.versions import diff
from shardsmith.dataset.codes import CATALOGUE
from shardsmith.dataset.errors import ShardsmithError
from shardsmith.dataset.manifest import Annotation, Image, Manifest
from shardsmith.versions import summary as report
from shardsmith.versions.record import Outcome
from shardsmith.workspace.paths import AUGMENTED, EXPORT, METRICS
from shardsmith.workspace.workspace import Workspace

_SPLITS_SHOWN = {"train": 6, "valid": 3, "test": 3}
_TILE_PX = (320, 240)
_BAR = 30
EVENT = "shardsmith.version.made"


def publish_version(workspace: Workspace, outcome: Outcome, before: str | None) -> None:
    """The version a build came to, as the artifact `version`; its counts as the artifact `counts` too.

    Args:
        before: the tag of the version before it.
    """
    if not outcome.made:
        create_markdown_artifact(key="version", markdown=f"# {report.escape(outcome.message)}", description=outcome.tag)
        return
    metrics = json.loads((workspace.root / METRICS).read_text(encoding="utf-8"))
    parts = [
        report.markdown(metrics, outcome.tag, EXPORT),
        *_balance(metrics),
        *_findings(metrics),
        *_changes(workspace, before, outcome.tag),
        *_pictures(workspace),
    ]
    create_markdown_artifact(key="version", markdown="\n\n".join(parts), description=outcome.message)
    header, *rows = report.count_rows(metrics)
    header[0] = "count"
    table = [dict(zip(header, (cell.strip() for cell in row), strict=True)) for row in rows]
    counted = f"Images and {report.kind_of(metrics)} per split of {outcome.tag}"
    create_table_artifact(key="counts", table=table, description=counted)


def announce(outcome: Outcome) -> None:
    """The version as an asset of its dataset, and as the event `shardsmith.version.made`, for triggers."""
    dataset, _, version = outcome.tag.partition("@")
    facts = {"dataset": dataset, "version": version, "tag": outcome.tag, "digest": outcome.digest}
    told = AssetProperties(name=dataset, description=f"Dataset versions of {dataset}, made by Shardsmith")
    asset = Asset(key=f"shardsmith://{dataset}", properties=told)

    @materialize(
        asset, by="shardsmith", name="announce", task_run_name="announce", cache_policy=NO_CACHE, persist_result=False
    )
    def step() -> None:
        asset.add_metadata(facts)
        resource = {"prefect.resource.id": f"shardsmith.dataset.{dataset}", "prefect.resource.name": dataset}
        emit_event(EVENT, resource, payload=facts)

    step()


def publish_failure(error: Exception, lines: Iterable[str]) -> None:
    """What stopped a build, and what to do, as the artifact `failure`.

    Args:
        lines: the log's last.
    """
    markdown = "\n\n".join(
        [
            "# The build failed, and recorded nothing",
            report.escape(str(error)),
            "## What to do",
            "Mend what the message names, and start the build again (or wait for the next scheduled one): what was "
            "computed is kept, and versions recorded before are as they were.",
            "## The last lines of the log",
            _block("\n".join(lines)),
        ]
    )
    create_markdown_artifact(key="failure", markdown=markdown, description=str(error)[:200])


def _balance(metrics: dict[str, Any]) -> list[str]:
    """Each class's share of the annotations, as a number and as a bar."""
    counts = {name: sum(per.values()) for name, per in metrics["classes"].items()}
    largest, total = max(counts.values(), default=0), sum(counts.values())
    if not total:
        return []
    rows = [
        f"| {report.escape(name)} | {count / total:.1%} | {'█' * max(1, round(_BAR * count / largest))} |"
        for name, count in sorted(counts.items(), key=lambda item: -item[1])
    ]
    return ["## Class balance", "\n".join(["| class | share | |", "| --- | ---: | --- |", *rows])]


def _findings(metrics: dict[str, Any]) -> list[str]:
    counts: dict[str, int] = metrics["findings"]
    rows = [f"| `{code}` | {CATALOGUE[code].meaning} | {count:,} |" for code, count in counts.items()]
    return ["## Findings", "\n".join(["| code | meaning | count |", "| --- | --- | ---: |", *rows])] if rows else []


def _changes(workspace: Workspace, before: str | None, tag: str) -> list[str]:
    if before is None:
        return []
    try:
        changes = diff_text(diff(workspace, before, tag, lambda _: None))
    except ShardsmithError as error:
        changes = f"not to be compared: {error}"
    return [f"## Since {report.escape(before)}", _block(changes)]


def _pictures(workspace: Workspace) -> list[str]:
    """Some images of each split with their annotations, in the page itself."""
    from shardsmith.inspect.sheet import draw_tile, in_grid, read_pixels

    manifest = Manifest.read(workspace.root / AUGMENTED)
    tiles = [draw_tile(read_pixels(image, workspace.root), boxes, _TILE_PX) for image, boxes in _shown(manifest)]
    if not tiles:
        return []
    stream = io.BytesIO()
    in_grid(tiles, across=3).save(stream, "JPEG", quality=80)
    data = base64.b64encode(stream.getvalue()).decode()
    return ["## Samples", f"![images with their annotations](data:image/jpeg;base64,{data})"]


def _shown(manifest: Manifest) -> Sequence[tuple[Image, list[Annotation]]]:
    """The first images of each split, in the order of a hash: the same ones until their content changes."""
    ids, splits, digests = (manifest.images[key].to_pylist() for key in ("image_id", "split", "sha256"))
    ordered = sorted(zip(digests, ids, splits, strict=True))
    chosen = [
        image_id
        for split, count in _SPLITS_SHOWN.items()
        for image_id in [image_id for _, image_id, of in ordered if of == split][:count]
    ]
    found = {image.image_id: (image, boxes) for image, boxes in manifest.pairs() if image.image_id in set(chosen)}
    return [found[image_id] for image_id in chosen]


def _block(text: str) -> str:
    """Text shown as it is, whatever is in it."""
    fence = "`" * max(3, 1 + max((len(run) for run in _ticks(text)), default=0))
    return f"{fence}\n{text}\n{fence}"


def _ticks(text: str) -> list[str]:
    return "".join(c if c == "`" else " " for c in text).split()
