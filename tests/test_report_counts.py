"""report: a page that says what is in the data, shows names as text, stays small, and is always the same."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
import vl_convert
from conftest import box, make_manifest
from page_inputs import Seen, columns_of, label, page_of, row, some_images
from ruamel.yaml import YAML
from workspaces import ROOT, Place, copied

from shardsmith.dataset.findings import about
from shardsmith.dataset.label_map import LabelMap
from shardsmith.ledger.fates import Line
from shardsmith.pipeline import report as stage
from shardsmith.pipeline.params import Params
from shardsmith.report import facts
from shardsmith.report.areas import Viewport
from shardsmith.report.content import code_blocks
from shardsmith.report.marks import marks_of

# what is counted


def test_objects_per_image_in_ranges_that_double() -> None:
    counts = [0, 1, 1, 8, 9, 16, 17]
    images = [row(f"{n}", "train" if n else "test") for n in range(len(counts))]
    boxes = [box(f"{n}") for n, count in enumerate(counts) for _ in range(count)]
    found_counts = dict(facts.objects_per_image(columns_of(make_manifest(*images, *boxes))))
    assert found_counts["0"] == [0, 0, 1] and found_counts["1"] == [2, 0, 0] and found_counts["2"] == [0, 0, 0]
    assert found_counts["8"] == [1, 0, 0] and found_counts["9-16"] == [2, 0, 0] and found_counts["17"] == [1, 0, 0]


@pytest.mark.parametrize("most", [*range(20), 33, 1000])
def test_every_image_is_in_one_range(most: int) -> None:
    images, boxes = [row("a"), row("b")], [box("a") for _ in range(most)]
    rows = facts.objects_per_image(columns_of(make_manifest(*images, *boxes)))
    assert sum(sum(per) for _, per in rows) == 2 and sum(rows[-1][1]) >= 1


def test_box_sizes_and_positions() -> None:
    manifest = make_manifest(
        row("a"), box("a", "cat", 0, 0, 50, 50), box("a", "cat", 50, 50, 60, 60), label("a", "cat")
    )
    columns = columns_of(manifest)
    assert facts.box_sizes_px(columns) == [("8-15", 1), ("16-31", 0), ("32-63", 1)]
    cells = facts.positions(columns)
    assert cells[0, 0] == cells[11, 11] == 0.5 and cells[0, 13] == cells[23, 23] == 0
    assert cells[13, 13] == 0.5 and cells[15, 15] == 0
    shapes = columns.boxes.shapes
    assert shapes[12, 12] == 1 and shapes[2, 2] == 1 and shapes.sum() == 2
    assert columns.word == "annotations"


def test_image_sizes_and_aspects() -> None:
    images = [row("a", width=200, height=100), row("b", width=200, height=100), row("c", width=50, height=50)]
    columns = columns_of(make_manifest(*images))
    assert facts.image_sizes(columns) == [(200, 100, 2), (50, 50, 1)]
    assert dict(facts.aspects(columns)) == {
        "square": 1, "1.01-1.11": 0, "1.11-1.25": 0, "1.25-1.45": 0, "1.45-1.7": 0, "1.7-2": 0, "2-2.5": 2,
    }  # fmt: skip


def test_very_many_image_sizes_are_rounded() -> None:
    images = [row(f"{n}", width=300 + n, height=900 - n) for n in range(600)]
    sizes = facts.image_sizes(columns_of(make_manifest(*images)))
    assert len(sizes) < 60 and sum(count for *_, count in sizes) == 600


def test_marks_lie_where_the_boxes_are() -> None:
    image = row("a", width=200, height=100)
    one = box("a", "cat", 20, 40, 120, 90, segmentation="[[20, 40, 120, 40, 120, 90]]")
    (mark,) = marks_of(Viewport.of(image), [one, label("a", "cat")], {"cat": 13})
    assert (mark.left, mark.top, mark.width, mark.height) == ("10", "40", "50", "50")
    assert mark.outlines == ("100,400 600,400 600,900",) and mark.colour == 3
    assert not mark.inside and not mark.at_right


def test_loading_is_split_into_text_and_code() -> None:
    blocks = list(code_blocks("\nFirst `x`:\n\n```python\nload('DATASET')\n```\n\nThen.\n", "ds"))
    assert blocks == [("text", "First `x`:"), ("code", "load('ds')"), ("text", "Then.")]


# `dvc plots`


PLOTS = {name: plot for one in YAML(typ="safe").load(ROOT / "dvc.yaml")["plots"] for name, plot in one.items()}


@pytest.mark.parametrize("name", PLOTS)
def test_each_plot_of_dvc_yaml_draws_its_table_in_its_order(name: str, tmp_path: Path) -> None:
    ((path, y),) = PLOTS[name]["y"].items()
    manifest = make_manifest(*some_images(tmp_path, 6))
    ledger = [Line("ingest", "images", "kept", "", 6), Line("ingest", "boxes", "dropped", "box-empty", 2)]
    label_map = LabelMap("ds", {"cat": 1, "dog": 2})
    tables = stage.plots(stage.report(manifest, manifest, [], ledger, label_map, "data", Params())[1])
    exported = {
        "splits": (("split", "images"), [("train", 4), ("valid", 2)]),
        "findings": (("code", "count"), [("z", 1)]),
    }
    header, rows = (exported if path.startswith("data/plots") else tables)[Path(path).stem]
    values = [dict(zip(header, map(str, row), strict=True)) | {"rev": "workspace"} for row in rows]
    assert values and {PLOTS[name]["x"], y} <= values[0].keys()
    anchors = {"TITLE": "t", "X": PLOTS[name]["x"], "Y": y, "X_LABEL": "x", "Y_LABEL": "y", "PLOT_WIDTH": "300"}
    text = (ROOT / ".dvc/plots" / f"{PLOTS[name]['template']}.json").read_text()
    for anchor, value in anchors.items():
        text = text.replace(f'"<DVC_METRIC_{anchor}>"', value if value.isdigit() else json.dumps(value))
    text = text.replace('"<DVC_METRIC_DATA>"', json.dumps(values))
    svg = vl_convert.vegalite_to_svg(json.loads(text))
    places = [svg.find(f">{row}<") for row in dict.fromkeys(value[y] for value in values)]
    assert "DVC_METRIC" not in text and -1 not in places and places == sorted(places)


def test_the_ledger_is_told_in_words(tmp_path: Path) -> None:
    ledger = [
        Line("ingest", "images", "kept", "", 2), Line("ingest", "entries", "dropped", "image-missing", 1),
        Line("validate", "images", "kept", "", 1), Line("validate", "images", "dropped", "image-unreadable", 1),
        Line("validate", "boxes", "kept", "", 5), Line("validate", "boxes", "repaired", "box-inverted", 2),
    ]  # fmt: skip
    seen = Seen(page_of(make_manifest(*some_images(tmp_path, 1)), ledger=ledger))
    assert "validate 2 1 7 7 1 image dropped: image-unreadable 2 boxes repaired: box-inverted" in seen.text
    assert "Dropped on the way: 1 image and 1 annotation entry." in seen.text


def test_what_needs_attention_stands_first(tmp_path: Path) -> None:
    findings = [about("box-tiny", "00.jpg"), about("image-unreadable", "x.jpg"), about("box-tiny", "00.jpg")]
    text = Seen(page_of(make_manifest(*some_images(tmp_path, 1)), *findings)).text
    assert "What needs attention 1 error image-unreadable 1 2 warnings box-tiny 2 " in text
    assert "What needs attention Nothing was found." in Seen(page_of(make_manifest(*some_images(tmp_path, 1)))).text


# `shardsmith report`

REPORT = (
    "import argparse, sys, pathlib; from shardsmith.cli.build import report; "
    "from shardsmith.dataset.errors import run; "
)


def open_page(place: Place, name: str | None, out: str | None, ok: bool = True) -> str:
    """What the command prints, its errors too; no browser is opened."""
    to = f"pathlib.Path({out!r})" if out else None
    code = f"{REPORT} options = argparse.Namespace(name={name!r}, out={to}); run(lambda: report(options))"
    done = place.run(sys.executable, "-c", code, ok=ok, PYTHONPATH=str(place.root), BROWSER="true")
    return done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.xdist_group("diff")  # whose versions it takes
def test_the_page_of_the_workspace_of_an_older_version_and_of_none(two_versions: Place, tmp_path: Path) -> None:
    assert "no page yet" in open_page(two_versions.clone(tmp_path / "new"), None, None, ok=False)
    place = copied(two_versions, tmp_path / "copy")
    first, second = place.read("../pages/one.html"), place.read("data/report/index.html")
    assert "bird" in second and "bird" not in first
    assert open_page(place, None, None).strip().endswith("sample@two.html")
    open_page(place, "one", "pages/one.html")
    named = place.read("pages/one.html")
    assert "<h1><bdi>sample@one</bdi></h1>" in named and named[-2000:] == first[-2000:]
    assert place.git("status", "--porcelain", "--", "data", ".dvc") == ""
    shutil.rmtree(place.root / ".dvc/cache")
    open_page(place, "one", "again.html")  # from the remote
    assert place.read("again.html") == named
    shutil.rmtree(place.root.parent / "store")
    assert "its page is neither in the cache nor in the remote 'store'" in open_page(place, "one", "x.html", ok=False)
    assert "no such version" in open_page(place, "three", "x.html", ok=False)
    assert not (place.root / "x.html").exists()
