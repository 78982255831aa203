"""What decoding told is kept by content: the same as decoding, and never of another image, code, or a damaged file."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pytest
from conftest import image_bytes, make_image, make_manifest
from PIL import Image as PilImage

from shardsmith.pipeline.checks.images import Decoded, Item, look
from shardsmith.pipeline.checks.kept import Keeping, decode


def table(folder: Path, seeds: range) -> pa.Table:
    rows = [make_image(folder, f"{seed:03}.jpg", image_bytes(64, 48, seed=seed)) for seed in seeds]
    PilImage.new("RGB", (32, 32)).save(stream := io.BytesIO(), "PNG")
    plain = make_image(folder, "plain.png", stream.getvalue())
    broken = make_image(folder, "zz.jpg", image_bytes(64, 48, seed=7)[:-400])
    return make_manifest(*rows, plain, broken).images


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The images that are decoded."""
    seen: list[str] = []

    def noted(item: Item) -> Decoded:
        seen.append(Path(item[0]).name)
        return look(item)

    monkeypatch.setattr("shardsmith.pipeline.checks.kept.look", noted)
    return seen


def test_only_new_images_are_decoded_again(tmp_path: Path, looked: list[str]) -> None:
    keeping = Keeping(tmp_path / "a/kept", "code")
    first = list(decode(table(tmp_path, range(20)), keeping))
    assert len(looked) == 22
    looked.clear()
    later = table(tmp_path, range(2, 23))
    told = list(decode(later, keeping))
    assert looked == ["020.jpg", "021.jpg", "022.jpg", "zz.jpg"]
    assert told == list(decode(later))
    assert told[:18] == first[2:20]
    looked.clear()
    list(decode(later, keeping))
    assert looked == ["zz.jpg"]


def test_other_pixels_under_the_same_name_are_decoded(tmp_path: Path, looked: list[str]) -> None:
    keeping = Keeping(tmp_path / "kept", "code")
    list(decode(table(tmp_path, range(3)), keeping))
    looked.clear()
    other = make_manifest(make_image(tmp_path, "000.jpg", image_bytes(64, 48, seed=99))).images
    assert list(decode(other, keeping)) == list(decode(other))
    assert looked == ["000.jpg"] * 2


@pytest.mark.parametrize("at", [0, 40, 700, -1])
def test_a_damaged_file_is_as_none(tmp_path: Path, looked: list[str], at: int) -> None:
    keeping, images = Keeping(tmp_path / "kept", "code"), table(tmp_path, range(3))
    told = list(decode(images, keeping))
    data = bytearray(keeping.path.read_bytes())
    data[at] ^= 4
    keeping.path.write_bytes(data)
    looked.clear()
    assert list(decode(images, keeping)) == told
    assert len(looked) == 5


@pytest.mark.parametrize("size", [0, 31, 64, 1500])
def test_a_file_that_is_cut_off_is_as_none(tmp_path: Path, looked: list[str], size: int) -> None:
    keeping, images = Keeping(tmp_path / "kept", "code"), table(tmp_path, range(3))
    list(decode(images, keeping))
    keeping.path.write_bytes(keeping.path.read_bytes()[:size])
    looked.clear()
    list(decode(images, keeping))
    assert len(looked) == 5


def test_other_code_decodes_all(tmp_path: Path, looked: list[str]) -> None:
    images = table(tmp_path, range(3))
    list(decode(images, Keeping(tmp_path / "kept", "code")))
    looked.clear()
    list(decode(images, Keeping(tmp_path / "kept", "other code")))
    assert len(looked) == 5
