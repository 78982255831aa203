"""preprocess, and the folder of images that it keeps between runs."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import box, image_bytes, make_image, make_manifest
from PIL import Image as PilImage
from staged import run_stage

from shardsmith.dataset import images
from shardsmith.dataset.errors import FindingError, StageError
from shardsmith.dataset.findings import found, read_findings
from shardsmith.dataset.manifest import SUMS, Image, Manifest
from shardsmith.pipeline.params import PreprocessParams
from shardsmith.pipeline.preprocess import preprocess
from shardsmith.pipeline.stage import write_stage

OFF = PreprocessParams(steps=[{"resize": {"width": 16, "height": 16}}])


def resize(width: int = 16, height: int = 16, mode: str = "fit") -> PreprocessParams:
    return PreprocessParams(enabled=True, steps=[{"resize": {"width": width, "height": height, "mode": mode}}])


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def ages(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in (folder / "images").rglob("*.*")}


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """Three images of 32 x 24: two with a box, and a negative."""
    raw = tmp_path / "raw"
    names = ["a.jpg", "b.jpg", "c.jpg"]
    rows = [make_image(raw, name, image_bytes(seed=seed)) for seed, name in enumerate(names)]
    return make_manifest(*rows, box("a.jpg", "cat", 2, 4, 12, 14), box("b.jpg", "dog", 0, 0, 32, 24))


def test_every_image_and_box_is_resized(manifest: Manifest, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result, findings, summary = preprocess(manifest, resize(16, 16), out)
    rows = result.image_rows()
    assert [(row.image_id, row.width, row.height, row.format) for row in rows] == [
        (name, 16, 16, "jpeg") for name in ("a.jpg", "b.jpg", "c.jpg")
    ]
    for row in rows:
        info = images.probe_file(row.path)
        assert (info.sha256, info.width, info.height) == (row.sha256, 16, 16)
        assert Path(row.path).parts[-3:-1] == ("images", Path(row.path).name[:2])
    assert [(row.label, row.xmin, row.ymin, row.xmax, row.ymax) for row in result.annotation_rows()] == [
        ("cat", 1, 4, 6, 9),
        ("dog", 0, 2, 16, 14),
    ]
    assert not findings
    assert summary.splitlines() == [
        "3 images (Resize to 16 x 16 pixels (fit: aspect kept, padded with black)), 0 reused",
        "  step      images  boxes cut  boxes lost",
        "  resize         3          0           0",
    ]


@pytest.mark.parametrize("params", [OFF, PreprocessParams(enabled=True)], ids=["off", "no steps"])
def test_off_passes_through_and_empties_the_folder(
    params: PreprocessParams, manifest: Manifest, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    preprocess(manifest, resize(), out)
    assert preprocess(manifest, params, out) == (manifest, [], "off")
    assert files(out) == {}


def encoded(mode: str, format: str, size: tuple[int, int] = (40, 20), **save: object) -> bytes:
    stream = io.BytesIO()
    depth = np.uint16 if mode == "I;16" else np.uint8
    channels = {"L": (), "I;16": (), "RGB": (3,), "RGBA": (4,), "CMYK": (4,)}[mode]
    pixels = np.random.default_rng(0).integers(0, np.iinfo(depth).max, (size[1], size[0], *channels), depth)
    PilImage.frombytes(mode, size, pixels.tobytes()).save(stream, format, **save)
    return stream.getvalue()


TURNED = PilImage.Exif()
TURNED[0x0112] = 6


@pytest.mark.parametrize(
    ("data", "format"),
    [
        (encoded("L", "JPEG"), "jpeg"),
        (encoded("L", "PNG"), "png"),
        (encoded("RGBA", "PNG"), "png"),
        (encoded("I;16", "PNG"), "png"),
        (encoded("RGB", "PNG", (1, 1)), "png"),
        (encoded("RGB", "JPEG", (1, 1)), "jpeg"),
        (encoded("RGB", "BMP"), "png"),
        (encoded("RGB", "JPEG", exif=TURNED), "jpeg"),
    ],
    ids=["grey", "grey png", "alpha", "16 bit", "1 x 1", "1 x 1 jpeg", "bmp", "turned"],
)
def test_odd_images(data: bytes, format: str, tmp_path: Path) -> None:
    manifest = make_manifest(make_image(tmp_path, "odd", data))
    result, *_ = preprocess(manifest, resize(20, 20, "stretch"), tmp_path / "out")
    (row,) = result.image_rows()
    pixels = np.asarray(PilImage.open(row.path))
    assert (row.format, row.orientation, row.width, row.height) == (format, 1, 20, 20)
    assert (pixels.shape, pixels.dtype) == ((20, 20, 3), np.uint8)


def test_bytes_are_kept_where_no_step_changes_the_pixels(manifest: Manifest, tmp_path: Path) -> None:
    result, *_ = preprocess(manifest, resize(32, 24), tmp_path / "out")
    assert [row.sha256 for row in result.image_rows()] == [row.sha256 for row in manifest.image_rows()]


def test_a_box_that_is_cropped_away_is_named(tmp_path: Path) -> None:
    # the centre of 32 x 24 is 24 x 24, from 4 to 28
    manifest = make_manifest(
        make_image(tmp_path), box("a.jpg", "in", 10, 0, 20, 24), box("a.jpg", "out", 0, 0, 4, 9), box("a.jpg", "cut")
    )
    result, findings, summary = preprocess(manifest, resize(24, 24, "fill"), tmp_path / "out")
    assert [(row.label, row.xmin, row.xmax) for row in result.annotation_rows()] == [("in", 6, 16), ("cut", 0, 8)]
    assert [(one.code, one.file, one.place, one.value) for one in findings] == [
        ("box-lost", "a.jpg", "object 2", "out")
    ]
    assert "0 reused, 1 box-lost\n" in summary
    assert summary.endswith("resize         1          1           1")
    again = preprocess(manifest, resize(24, 24, "fill"), tmp_path / "out")
    assert again[:2] == (result, findings)


def test_outlines_and_areas_follow(tmp_path: Path) -> None:
    outline = {"area": 50.0, "segmentation": "[[2, 3, 12, 3, 12, 13]]", "attributes": '{"pose": "left"}'}
    manifest = make_manifest(make_image(tmp_path), box("a.jpg", "cat", **outline))
    for params, expected in (
        (resize(16, 16), (12.5, "[[1.0,3.5,6.0,3.5,6.0,8.5]]")),
        (resize(32, 24), (50.0, outline["segmentation"])),
    ):
        result, findings, _ = preprocess(manifest, params, tmp_path / "out")
        (row,) = result.annotation_rows()
        assert (row.area, row.segmentation) == expected
        assert row.attributes == outline["attributes"]
        assert not findings


def test_a_label_of_the_whole_image_stays(tmp_path: Path) -> None:
    whole = box("a.jpg", "cat", None, None, None, None)  # type: ignore[arg-type]
    result, *_ = preprocess(make_manifest(make_image(tmp_path), whole, box()), resize(), tmp_path / "out")
    assert [(row.label, row.xmin) for row in result.annotation_rows()] == [("cat", None), ("cat", 1.0)]


# the kept folder


def test_nothing_is_made_twice(manifest: Manifest, tmp_path: Path) -> None:
    first = preprocess(manifest, resize(), tmp_path / "out")
    before = files(tmp_path / "out"), ages(tmp_path / "out")
    second = preprocess(manifest, resize(), tmp_path / "out")
    assert second[:2] == first[:2]
    assert "3 reused" in second[2]
    assert (files(tmp_path / "out"), ages(tmp_path / "out")) == before


def _params(manifest: Manifest, out: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Manifest, PreprocessParams]:
    return manifest, resize(mode="stretch")


def _code(manifest: Manifest, out: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Manifest, PreprocessParams]:
    monkeypatch.setattr("shardsmith.pipeline.preprocess.digest", lambda stage, steps: "changed")
    return manifest, resize()


def _damage(manifest: Manifest, out: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Manifest, PreprocessParams]:
    for path in (out / "images").rglob("*.jpg"):
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    return manifest, resize()


def _table(manifest: Manifest, out: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Manifest, PreprocessParams]:
    (out / "outputs.parquet").write_bytes(b"PAR1 no more")
    return manifest, resize()


def _boxes(manifest: Manifest, out: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Manifest, PreprocessParams]:
    moved = [replace(row, xmax=row.xmax - 1) for row in manifest.annotation_rows()]
    return make_manifest(*manifest.image_rows(), *moved, box("c.jpg")), resize()


def _label(manifest: Manifest, out: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Manifest, PreprocessParams]:
    renamed = [replace(row, label="renamed") for row in manifest.annotation_rows()]
    return make_manifest(*manifest.image_rows(), *renamed), resize()


def _leftovers(manifest: Manifest, out: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Manifest, PreprocessParams]:
    for name in ("images/zz/stale.jpg", "images/00/half.part", "images/note.txt"):
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_bytes(b"left")
    (out / "outputs.part").write_bytes(b"left")
    return manifest, resize()


def _smaller(manifest: Manifest, out: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Manifest, PreprocessParams]:
    return make_manifest(*manifest.image_rows()[1:], *manifest.annotation_rows()[1:]), resize()


@pytest.mark.parametrize(
    ("change", "reused"),
    [(_params, 0), (_code, 0), (_damage, 0), (_table, 0), (_boxes, 0), (_label, 3), (_leftovers, 3), (_smaller, 2)],
)
def test_after_a_change_the_folder_is_as_if_made_anew(
    change: object, reused: int, manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, anew = tmp_path / "kept", tmp_path / "anew"
    preprocess(manifest, resize(), kept)
    changed, params = change(manifest, kept, monkeypatch)  # type: ignore[operator]
    result, _, summary = preprocess(changed, params, kept)
    expected, *_ = preprocess(changed, params, anew)
    assert f" {reused} reused" in summary
    assert files(kept) == files(anew)
    assert result.annotations == expected.annotations
    assert {str(Path(row.path).relative_to(kept)) for row in result.image_rows()} < set(files(kept))
    assert all((kept / "images" / folder).iterdir() for folder in (kept / "images").iterdir())


def test_an_interrupted_run_is_taken_up(manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, anew = tmp_path / "kept", tmp_path / "anew"
    encode, calls = images.encode, []

    def encode_once(*arguments: object) -> bytes:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return encode(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(images, "encode", encode_once)
        preprocess(manifest, resize(), kept)
    _, _, summary = preprocess(manifest, resize(), kept)
    preprocess(manifest, resize(), anew)
    assert " 1 reused" in summary
    assert files(kept) == files(anew)


def test_identical_images_share_a_file(tmp_path: Path) -> None:
    twins = [make_image(tmp_path, name, image_bytes()) for name in ("a.jpg", "b.jpg", "c.jpg")]
    manifest = make_manifest(*twins, box("a.jpg"), box("b.jpg"), box("c.jpg", "cat", 0, 0, 9, 9))
    result, *_ = preprocess(manifest, resize(), tmp_path / "out")
    a, b, c = result.image_rows()
    assert a.path == b.path != c.path
    assert [row.xmax for row in result.annotation_rows()] == [6, 6, 4.5]


def _gone(row: Image) -> None:
    Path(row.path).unlink()


def _other(row: Image) -> None:
    Path(row.path).write_bytes(image_bytes(seed=99))


@pytest.mark.parametrize(("harm", "complaint"), [(_gone, "cannot be read"), (_other, "its bytes are not those")])
def test_a_source_that_is_not_there_stops(harm: object, complaint: str, manifest: Manifest, tmp_path: Path) -> None:
    row = manifest.image_rows()[1]
    harm(row)  # type: ignore[operator]
    with pytest.raises(StageError, match=f"b.jpg: {complaint}.*run dvc repro"):
        preprocess(manifest, resize(), tmp_path / "out")


def test_workers_and_order_change_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [make_image(tmp_path / "raw", f"{n:02}.jpg", image_bytes(20, 12, n)) for n in range(50)]
    boxes = [box(row.image_id, "cat", 1, 1, 9, 9) for row in rows]
    made = []
    for workers, order in (("1", rows), ("2", rows[::-1])):
        monkeypatch.setenv("SHARDSMITH_WORKERS", workers)
        monkeypatch.setattr("shardsmith.dataset.workers.ALONE_S", 0)
        result, *_ = preprocess(make_manifest(*order, *boxes), resize(), tmp_path / workers)
        write_stage(tmp_path / workers, Manifest(result.images.drop(["path"]), result.annotations), [])
        made.append(files(tmp_path / workers))
    assert made[0] == made[1]


def test_the_command(
    manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    earlier = found("image-duplicate", "a.jpg")
    write_stage(tmp_path / "in", manifest, [earlier])
    monkeypatch.chdir(tmp_path)
    block = "{enabled: true, steps: [{resize: {width: 2, height: 24, mode: fill}}]}"
    Path("params.yaml").write_text(f"preprocess: {block}\n")
    run_stage("preprocess", "in out")
    assert capsys.readouterr().out.startswith("preprocess: 3 images (Resize to 2 x 24 pixels")
    result = Manifest.read(Path("out"))
    assert all(row.path.startswith("out/images/") for row in result.image_rows())
    assert [one.code for one in read_findings(Path("out/findings.csv"))] == ["image-duplicate", *["box-lost"] * 2]
    Path("params.yaml").write_text(f"preprocess: {block}\nvalidate: {{actions: {{box-lost: fail}}}}\n")
    with pytest.raises(FindingError, match="box-lost"):
        run_stage("preprocess", "in out")
    Path("params.yaml").write_text("preprocess: {enabled: false}\n")
    run_stage("preprocess", "in out")
    assert capsys.readouterr().out == "preprocess: off\n"
    assert sorted(files(Path("out"))) == [SUMS, "annotations.parquet", "findings.csv", "images.parquet", "ledger.csv"]
    assert Manifest.read(Path("out")) == manifest
