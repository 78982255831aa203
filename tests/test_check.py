"""`shardsmith check`: any folder or archive, or the workspace, without building."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import pytest
from conftest import image_bytes
from planted import plant
from test_formats import OBJECT, XML
from workspaces import Place, make_workspace

from shardsmith.cli.data import check as command
from shardsmith.conversion.check import Checked, as_json, check, check_source, fails, make_check_params, rows
from shardsmith.dataset.errors import ParamsError, RawDataError
from shardsmith.dataset.findings import found
from shardsmith.pipeline.params import Params, parse_params


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    plant(tmp_path / "planted")
    return tmp_path / "planted"


def options(source: Path | None, **more: object) -> argparse.Namespace:
    return argparse.Namespace(**({"source": source, "json": False, "read_as": "auto", "fail_on": "error"} | more))


def one_image(folder: Path, name: str = "a", *boxes: tuple) -> Path:
    """A folder of VOC with one image of 32 x 24 pixels."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.jpg").write_bytes(image_bytes())
    objects = "".join(OBJECT.format("cat", *corners) for corners in boxes or [(2, 3, 12, 13)])
    (folder / f"{name}.xml").write_text(XML.replace("a.jpg", f"{name}.jpg").format(objects))
    return folder


def test_a_clean_folder_exits_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(options(one_image(tmp_path / "clean"))) == 0
    assert capsys.readouterr().out == "check: 1 images and 1 annotations, read as voc; no findings\n"


EXITS = [((0, 0, 32, 24), "error", 0, "info"), ((0, 0, 32, 24), "warning", 0, "info is no warning")]
EXITS += [((2, 3, 4, 13), "error", 0, "a warning"), ((2, 3, 4, 13), "warning", 1, "a warning that counts")]
EXITS += [((500, 500, 510, 510), "error", 1, "an error"), ((500, 500, 510, 510), "warning", 1, "an error all the same")]


@pytest.mark.parametrize(("corners", "fail_on", "code", "why"), EXITS, ids=[row[-1] for row in EXITS])
def test_exit_code(corners: tuple, fail_on: str, code: int, why: str, tmp_path: Path) -> None:
    folder = one_image(tmp_path / "set", "a", (2, 3, 12, 13), corners)
    assert len(check(folder, make_check_params(None, "auto")).findings) == 1
    assert command(options(folder, fail_on=fail_on)) == code, why


def test_a_source_that_lost_every_annotation_exits_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lost = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, "x", 4]}
    content = {"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [lost]}
    (tmp_path / "a.jpg").write_bytes(image_bytes())
    (tmp_path / "coco.json").write_text(json.dumps(content | {"categories": [{"id": 1, "name": "cat"}]}))
    assert command(options(tmp_path)) == 1
    assert "no annotation of the source is left" in capsys.readouterr().out


def test_a_source_of_negatives_alone_exits_with_0(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(image_bytes())
    (tmp_path / "a.xml").write_text(XML.format(""))
    assert command(options(tmp_path)) == 0


def test_the_table_has_counts_and_the_first_places(planted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(options(planted)) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["severity", "code", "count", "a", "build", "first", "places"]
    cells = {line.split()[1]: line.split(maxsplit=4) for line in lines[1 : lines.index("")]}
    assert cells["box-empty"] == [
        *("error", "box-empty", "2", "drops"),
        "images/box-empty.jpg, box 2; images/left-empty.jpg, box 1",
    ]
    severities = [row[0] for row in cells.values()]
    assert severities == sorted(severities, key=["error", "warning", "info"].index)
    assert any(line.startswith("box-empty: the box has no area; draw") for line in lines)
    assert lines[-1].startswith("check: ") and "read as coco" in lines[-1]


def test_json(planted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(options(planted, json=True)) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["codes"]["box-empty"] == 2
    assert sum(said["severities"].values()) == len(said["findings"]) == sum(said["codes"].values())
    assert said["findings"][0].keys() == {
        *("code", "action", "file", "place", "value", "reason", "image_id", "source_key", "made", "other"),
        *("severity", "remedy"),
    }


def test_the_source_is_left_as_it_is_and_an_archive_is_read(planted: Path, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in planted.rglob("*")}
    params = make_check_params(None, "auto")
    done = check(planted, params)
    assert {path: path.stat().st_mtime_ns for path in planted.rglob("*")} == before
    packed = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", planted))
    assert as_json(check(packed, params)) == as_json(done)


def test_an_archive_without_annotations_is_named_as_it_was_given(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/a.md").write_text("hello")
    packed = shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path / "notes")
    with pytest.raises(RawDataError, match=f"^{packed}: no annotations found"):
        check_source(packed)


def test_splits_are_looked_at_only_where_there_are_any(tmp_path: Path) -> None:
    assert check(one_image(tmp_path / "none"), make_check_params(None, "auto")).findings == []
    one_image(tmp_path / "some", "a")
    (tmp_path / "some" / "train").mkdir()
    one_image(tmp_path / "some" / "train", "b", (3, 3, 12, 13))
    codes = {finding.code for finding in check(tmp_path / "some", make_check_params(None, "auto")).findings}
    assert {"split-missing", "split-empty"} <= codes


def test_a_failing_action_fails_and_hides_nothing(tmp_path: Path) -> None:
    folder = one_image(tmp_path / "set", "a", (2, 3, 12, 13), (2, 3, 4, 13), (25, 3, 33, 13))
    params = parse_params("validate: {actions: {box-tiny: fail}}\nsplit: {strategy: source}")
    done = check(folder, params)
    assert [finding.code for finding in done.findings] == ["box-over-edge", "box-tiny"]
    assert fails(done, "error")
    assert [row[3] for row in rows(done)] == ["a build", "repairs", "fails"]
    assert not fails(check(folder, parse_params("split: {strategy: source}")), "error")


def test_names_from_the_data_do_not_drive_the_terminal() -> None:
    done = Checked("voc", 1, 1, [found("image-unlabelled", "a\x1b[2J\u202e\n.jpg"), found("class-rare", "c" * 900)])
    printed = "".join(cell for row in rows(done) for cell in row)
    assert not any(char in printed for char in ("\x1b", "\u202e", "\n"))
    assert max(len(row[-1]) for row in rows(done)) <= 60


def test_a_format_can_be_named_and_a_wrong_one_is_refused(planted: Path) -> None:
    assert make_check_params(Params(), "coco").ingest.format == "coco"
    with pytest.raises(ParamsError, match="--from nonsense: no such format"):
        make_check_params(None, "nonsense")
    with pytest.raises(RawDataError, match="no such folder or archive"):
        command(options(planted / "nowhere"))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return make_workspace(tmp_path / "ws", tmp_path / "home")


def test_the_workspace_is_checked_with_its_params(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (place.root / "stages").mkdir(exist_ok=True)
    monkeypatch.chdir(place.root / "stages")
    assert command(options(None)) == 0
    place.write("params.yaml", "ingest: {classes: {dog: null}}\n")
    assert command(options(None)) == 0
    assert "class-omitted" in capsys.readouterr().out
    place.write("params.yaml", "validate: {actions: {class-omitted: fail}}\ningest: {classes: {dog: null}}\n")
    assert command(options(None)) == 1
    assert not (place.root / "data" / "ingest").exists(), "nothing is built"
