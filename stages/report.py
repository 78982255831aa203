"""report: what is in the version, as one page for people: index.html, and its tables for `dvc plots`.

python -m stages.report IN INGEST LABEL_MAP OUT
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from stages.dataset import command
from stages.dataset.errors import StageError
from stages.dataset.findings import Finding
from stages.dataset.label_map import LabelMap, read_label_map
from stages.dataset.ledger import Line, read_ledger
from stages.dataset.manifest import LEFT_OUT, SPLITS, Manifest
from stages.dataset.stage import read_stage, write_table
from stages.described import describe_augmentation, describe_preprocessing, describe_split
from stages.formats import WRITERS
from stages.formats.export_job import stored_size
from stages.formats.losses import losses_of_export
from stages.page.content import Content, Made, compose
from stages.page.facts import aspects, box_sizes_px, classes, image_sizes, objects_per_image
from stages.page.figures import MOST_SIZES
from stages.page.render import render
from stages.params import Params, load_params


def report(
    manifest: Manifest,
    taken_in: Manifest,
    findings: Sequence[Finding],
    ledger: Sequence[Line],
    label_map: LabelMap,
    source: str,
    params: Params,
) -> tuple[str, Content]:
    """The page as HTML, and what is on it.

    Args:
        taken_in: what ingest read: findings are about its images and boxes, dropped ones among them.

    Raises:
        StageError: an image is gone, or is not the one in the manifest.
    """
    made = Made(
        annotation_group=params.dataset.annotation_group,
        source=source,
        split=describe_split(params),
        preprocessing=describe_preprocessing(params),
        augmentation=describe_augmentation(params),
        formats=[(WRITERS[name].TITLE, WRITERS[name].LOADING) for name in dict.fromkeys(params.export.formats)],
    )
    size = sum(stored_size(path) for path in manifest.images["path"].to_pylist())
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


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m stages.report", description=(__doc__ or "").partition("\n")[0])
    for name in ("in", "ingest", "label_map", "out"):
        parser.add_argument(name, type=Path)
    options = vars(parser.parse_args(arguments))
    params = load_params()
    manifest, findings = read_stage(options["in"])
    findings += losses_of_export(manifest, params.export.formats, params.export.masks)
    if not manifest.images.num_rows:
        raise StageError(f"{options['in']}: no image is left to show; see findings.csv there")
    taken_in = Manifest.read(options["ingest"]).joined([Manifest.read(options["ingest"] / LEFT_OUT)])
    source = json.loads((options["ingest"] / "source.json").read_text(encoding="utf-8"))["description"]
    page, content = report(
        manifest, taken_in, findings, read_ledger(options["in"]), read_label_map(options["label_map"]), source, params
    )
    write_report(page, content, options["out"])
    print(
        f"report: {options['out']}/index.html ({len(page.encode()) / 1e6:,.1f} MB), with "
        f"{len(content.gallery):,} of {manifest.images.num_rows:,} images"
    )


if __name__ == "__main__":
    command.run(main)
