"""report: what is in the version, as one page for people: index.html, and its tables for `dvc plots`."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from shardsmith.dataset.errors import StageError
from shardsmith.dataset.findings import Finding
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import LEFT_OUT, SPLITS, Manifest
from shardsmith.formats.readme import group_of, named_facts
from shardsmith.formats.registry import WRITERS
from shardsmith.formats.shared.facts import chosen
from shardsmith.formats.shared.job import stored_size
from shardsmith.ledger.fates import Line
from shardsmith.pipeline.description import describe_augmentation, describe_preprocessing, describe_split
from shardsmith.pipeline.params import Params
from shardsmith.pipeline.stage import write_table
from shardsmith.report.content import Content, HowMade, compose
from shardsmith.report.facts import aspects, box_sizes_px, classes, image_sizes, objects_per_image
from shardsmith.report.figures import MOST_SIZES
from shardsmith.report.render import render


def report(
    manifest: Manifest,
    taken_in: Manifest,
    findings: Sequence[Finding],
    ledger: Sequence[Line],
    label_map: LabelMap,
    source: str,
    params: Params,
    facts: Mapping[str, str] | None = None,
) -> tuple[str, Content]:
    """The page as HTML, and what is on it.

    Args:
        taken_in: what ingest read: findings are about its images and boxes, dropped ones among them.
        facts: what the source says of itself.

    Raises:
        StageError: no image is left, one is gone, or one is not that of the manifest.
    """
    if not manifest.image_count:
        raise StageError("no image is left to show; see findings.csv in data/augment")
    facts = chosen(facts or {}, params.dataset.facts())
    made = HowMade(
        annotation_group=group_of(facts, params.dataset.annotation_group),
        facts=named_facts(facts),
        source=source,
        split=describe_split(params),
        preprocessing=describe_preprocessing(params),
        augmentation=describe_augmentation(params),
        formats=[
            (WRITERS[name].title, WRITERS[name].loading.replace("FOLDER", f"FOLDER/{name}"))
            for name in dict.fromkeys(params.export.formats)
        ],
    )
    paths = (
        path for part in manifest.parts(["image_id", "path"], ["image_id"]) for path in part.images["path"].to_pylist()
    )
    size = sum(map(stored_size, paths))
    content = compose(manifest, taken_in, findings, ledger, label_map, made, size)
    return render(content), content


def write_report(page: str, content: Content, out: Path) -> None:
    """index.html and its tables in `out`, which is replaced."""
    part = out.with_name(f"{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    (part / "index.html").write_text(page, encoding="utf-8")
    for name, (header, rows) in plots(content).items():
        write_table(part / f"{name}.csv", header, rows)
    shutil.rmtree(out, ignore_errors=True)
    part.rename(out)


def plots(content: Content) -> dict[str, tuple[tuple[str, ...], Iterable[tuple]]]:
    """Name -> (header, rows) of each table, in the page's order; dvc.yaml says how they are drawn."""
    columns = content.columns
    sizes = [(f"{width} x {height}", count) for width, height, count in image_sizes(columns)[:MOST_SIZES]]
    return {
        "classes": (("class", "split", "order", "boxes"), _by_split(classes(columns))),
        "box_sizes": (("side", "boxes"), box_sizes_px(columns)),
        "objects_per_image": (("objects", "split", "order", "images"), _by_split(objects_per_image(columns))),
        "image_sizes": (("pixels", "images"), sizes),
        "aspect_ratios": (("ratio", "images"), aspects(columns)),
        "ledger": (("fate", "count"), content.fates),
    }


def _by_split(rows: Iterable[tuple[str, Sequence[int]]]) -> Iterator[tuple[str, str, int, int]]:
    for name, counts in rows:
        for order, (split, count) in enumerate(zip(SPLITS, counts, strict=True)):
            yield name, split, order, count


def read_all(ingested: Path) -> Manifest:
    """What ingest read, with the images that it dropped."""
    kept, left_out = Manifest.open(ingested), Manifest.open(ingested / LEFT_OUT)
    return kept.joined([left_out]) if left_out.image_count or left_out.annotation_count else kept


def describe(page: str, content: Content, manifest: Manifest, out: Path) -> str:
    """For the stage's last line."""
    return (
        f"{out}/index.html ({len(page.encode()) / 1e6:,.1f} MB), with {len(content.gallery):,} of "
        f"{manifest.image_count:,} images"
    )
