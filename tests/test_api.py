"""The public face: `import shardsmith`, and each of its functions, twice in one process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import image_bytes
from workspaces import Place, copied

import shardsmith
from shardsmith.dataset.errors import UsageError, VersionError

VOC = (
    "<annotation><filename>{0}.jpg</filename><object><name>cat</name><bndbox><xmin>2</xmin><ymin>3</ymin>"
    "<xmax>12</xmax><ymax>13</ymax></bndbox></object></annotation>"
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "my_voc"
    folder.mkdir()
    for number in range(6):
        (folder / f"{number}.jpg").write_bytes(image_bytes(seed=number))
        (folder / f"{number}.xml").write_text(VOC.format(number))
    return folder


def test_import_alone_loads_nothing() -> None:
    heavy = "('numpy', 'pandas', 'pyarrow', 'dvc', 'prefect', 'tensorflow')"
    text = f"import sys, shardsmith; dir(shardsmith); print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", text], text=True) == "[]\n"


def test_every_name_of_the_face_is_there() -> None:
    assert all(getattr(shardsmith, name) for name in shardsmith.__all__)
    with pytest.raises(AttributeError, match="it has Format, OpenVersion"):
        shardsmith.covert  # noqa: B018


def test_convert(source: Path, tmp_path: Path) -> None:
    for to in ("tfrecord", "coco"):
        done = shardsmith.convert(source, to, tmp_path / to, fractions="0.5,0.5")
        assert (done.read_as, done.images, done.boxes, done.out) == ("voc", 6, 6, tmp_path / to)
    zipped = shardsmith.convert(source, "coco", tmp_path / "packed", zipped=True, name="cats", masks=True)
    assert zipped.out == tmp_path / "packed.zip" and zipped.out.is_file()
    with pytest.raises(UsageError, match="did you mean coco"):
        shardsmith.convert(source, "cocoo", tmp_path / "out")


def test_check(source: Path) -> None:
    for read_as in ("auto", "voc"):
        checked = shardsmith.check(source, read_as=read_as)
        assert (checked.images, checked.boxes, checked.findings) == (6, 6, [])


# what a user writes; `place` is the workspace, `home` a folder of their own
SCRIPT = """
import json, pathlib, sys
import pandas, shardsmith
place, home, said = sys.argv[1], pathlib.Path(sys.argv[2]), []
for turn in ("first", "second"):
    record = shardsmith.pull("sample@one", home / turn, workspace=place)
    what, checks = shardsmith.verify(home / turn)
    of_tag, more = shardsmith.verify("one", workspace=place)
    pulled, named = shardsmith.open(home / turn), shardsmith.open("one", workspace=place)
    for version in (pulled, named):
        assert isinstance(version.images, pandas.DataFrame) and isinstance(version.annotations, pandas.DataFrame)
        assert set(version.annotations.image_id) <= set(version.images.image_id)
        assert sum(version.splits.values()) == len(version.images)
        assert version.files("train") and all(path.is_file() for path in version.files("train"))
    said.append({
        "tag": record["tag"], "opened": [pulled.name, named.name], "of_tag": of_tag,
        "damage": [str(one) for check in (*checks, *more) for one in check.damage],
        "images": len(named.images), "boxes": len(pulled.annotations), "labels": named.label_map,
        "built": shardsmith.build(workspace=place).made, "shards": [p.name for p in pulled.files("train")],
        "same": [p.read_bytes() for p in pulled.files("train")] == [p.read_bytes() for p in named.files("train")],
    })
print(json.dumps(said))
"""


@pytest.mark.slow
@pytest.mark.xdist_group("flows")  # whose version it takes
def test_a_version_is_pulled_opened_and_verified(built: Place, tmp_path: Path) -> None:
    place = copied(built, tmp_path / "copy")
    done = Place(tmp_path, place.env).run(sys.executable, "-c", SCRIPT, str(place.root), str(tmp_path / "out"))
    first, second = json.loads(done.stdout.splitlines()[-1])
    assert first == second
    expected = {"tag": "sample@one", "of_tag": "sample@one", "damage": [], "images": 10, "boxes": 10, "built": False}
    assert {key: first[key] for key in expected} == expected
    assert (first["opened"], first["labels"], first["same"]) == (["sample@one"] * 2, {"cat": 1, "dog": 2}, True)


@pytest.mark.slow
@pytest.mark.xdist_group("flows")
def test_tensorflow_reads_it(built: Place, tmp_path: Path) -> None:
    text = (
        "import shardsmith\n"
        f"version = shardsmith.open('sample@one', repo={str(built.root)!r})\n"
        "for _ in range(2):\n"
        "    rows = list(version.tf_dataset('train', shuffle=8, seed=1))\n"
        "    print(len(rows) == version.splits['train'], rows[0]['image'].shape, rows[0]['boxes'].shape)\n"
    )
    done = Place(tmp_path, built.env).run(sys.executable, "-c", text)
    assert done.stdout.splitlines() == ["True (40, 48, 3) (1, 4)"] * 2


@pytest.mark.slow
@pytest.mark.xdist_group("flows")
def test_what_is_not_there_is_said(built: Place, tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(VersionError, match="no such version; did you mean sample@one"):
            shardsmith.open("sample@ona", workspace=built.root)
        with pytest.raises(UsageError, match="'tran': no such split; did you mean train"):
            shardsmith.open("one", workspace=built.root).files("tran")
    with pytest.raises(VersionError, match="no workspace here or above"):
        shardsmith.build(workspace=tmp_path)
