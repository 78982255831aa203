"""`shardsmith verify`: each kind of file is damaged on purpose, with real git and real DVC."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from conftest import image_bytes
from flips import flip_each, stored_files, table
from moto.server import ThreadedMotoServer
from workspaces import Place, make_workspace

from shardsmith.dataset.errors import VersionError
from shardsmith.dataset.messages import Example
from shardsmith.download.pull import pull
from shardsmith.formats.tfrecord.frames import frame, read_frames
from shardsmith.proof.folder import verify_pulled
from shardsmith.proof.records.sets import is_shard
from shardsmith.store.pulled import tree_hash
from shardsmith.workspace.workspace import Workspace

STORE = "the remote 'store'"
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("verify")]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A workspace with one version, `sample@v1.0.0`, and a DVC remote beside it. Not to be changed: take `place`."""
    folder = tmp_path_factory.mktemp("verify") / "all"
    folder.mkdir()
    place = make_workspace(folder / "w", folder / "home")
    (place.root / ".dvc/config").write_text("[core]\n    remote = store\n['remote \"store\"']\n    url = ../../store\n")
    place.commit("remote")
    place.quick_build("v1.0.0")
    assert place.tags() == ["sample@v1.0.0"]
    return place


@pytest.fixture
def place(built: Place, tmp_path: Path) -> Place:
    """A copy of `built` to be damaged."""
    shutil.copytree(built.root.parent, tmp_path / "all", symlinks=True)
    return Place(tmp_path / "all/w", built.env | {"HOME": str(tmp_path / "all/home")})


@pytest.fixture(scope="module")
def pulled(built: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pulled") / "v1"
    built.shardsmith("pull", "v1.0.0", "--out", str(out))
    return out


def verify(place: Place, *arguments: str, ok: bool = False) -> list[str]:
    """The lines of `shardsmith verify`, of which one at least says DAMAGED, unless `ok`."""
    done = place.shardsmith("verify", *arguments, ok=False)
    lines = done.stdout.splitlines()
    assert "Traceback" not in done.stderr
    assert (done.returncode, any(line.startswith("DAMAGED") for line in lines)) == ((0, False) if ok else (1, True)), (
        done
    )
    return lines


def damaged(lines: list[str]) -> str:
    return "\n".join(line for line in lines if line.startswith("DAMAGED"))


def listing(place: Place) -> dict[str, str]:
    """The version's files below data/export -> MD5."""
    md5 = export_hash(place)
    return {e["relpath"]: e["md5"] for e in json.loads((objects(place) / md5[:2] / md5[2:]).read_text())}


def export_hash(place: Place) -> str:
    return place.git("cat-file", "tag", "sample@v1.0.0").partition("data/export: ")[2].split()[0]


def objects(place: Place, store: str = ".dvc/cache") -> Path:
    return place.root / store / "files/md5"


def shard(place: Place, split: str = "train") -> tuple[str, str]:
    return next((file, md5) for file, md5 in listing(place).items() if is_shard(file) and f"-{split}." in file)


def flip_bit(path: Path, at: int = 300) -> None:
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    path.chmod(0o444)


def test_a_version_as_it_was_built(built: Place, tmp_path: Path) -> None:
    done = built.shardsmith("verify", "--remote", "--json")
    report = json.loads(done.stdout)
    assert (report["verified"], report["ok"]) == ("sample@v1.0.0", True)
    states = {check["check"]: check["state"] for check in report["checks"]}
    assert states == dict.fromkeys(
        [
            "tag", "commit", "params", "code", "what stages hand on, in the cache", "run cache", "records", "workspace",
            *(f"data/{name} in {where}" for name in ("export", "raw", "report") for where in ("the cache", STORE)),
            f"what stages hand on, in {STORE}", f"manifest in {STORE}",
        ],
        "ok",
    )  # fmt: skip


def test_one_flipped_bit_in_the_cache(place: Place) -> None:
    file, md5 = shard(place)
    flip_bit(objects(place) / md5[:2] / md5[2:])
    found = damaged(verify(place))
    assert f"data/export/{file}: not the bytes that were recorded" in found
    assert f"data/export/{file}: record 1: it is damaged (checksum)" in found
    assert "`shardsmith repair sample@v1.0.0` where it was built" in found
    place.shardsmith("repair", "sample@v1.0.0")
    verify(place, ok=True)


def test_a_damaged_listing(place: Place) -> None:
    md5 = export_hash(place)
    flip_bit(objects(place) / md5[:2] / md5[2:], at=20)
    assert "data/export: not the bytes that were recorded" in damaged(verify(place))


def test_what_only_the_remote_has_is_not_here_and_is_read_there(place: Place) -> None:
    shutil.rmtree(objects(place))
    lines = verify(place, ok=True)
    assert "not here: data/raw in the cache: 21 of 21 objects are not here; the remote 'store' has them" in lines
    assert "not here: records: not here; `--remote` reads them in the remote" in lines
    lines = verify(place, "--remote", ok=True)
    assert "ok: records: 3 TFRecords, 10 records, 10 boxes: images, classes, boxes and counts" in lines


def test_what_is_nowhere_is_missing(place: Place) -> None:
    file, md5 = shard(place)
    for store in (".dvc/cache", "../store"):
        (objects(place, store) / md5[:2] / md5[2:]).unlink()
    assert f"data/export/{file}: missing from the cache and the remote 'store'" in damaged(verify(place, "v1.0.0"))


def test_the_remote_is_damaged_and_what_the_message_says_repairs_it(place: Place) -> None:
    (one, flipped), (other, missing) = shard(place), shard(place, "valid")
    store = objects(place, "../store")
    flip_bit(store / flipped[:2] / flipped[2:])
    (store / missing[:2] / missing[2:]).unlink()
    verify(place, ok=True)
    found = damaged(verify(place, "--remote"))
    assert f"data/export/{one}: not the bytes that were recorded" in found
    assert f"data/export/{other}: missing in the remote 'store'" in found
    place.shardsmith("repair")
    verify(place, "--remote", ok=True)


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("params.yaml", "seed: 0 ", "seed: 7 ", "params.yaml: split.seed is 7, and sample@v1.0.0 was built with 0"),
        ("data/label_map.pbtxt", '"dog"', '"dot"', "data/label_map.pbtxt: edited since sample@v1.0.0"),
        ("data/export/tfrecord/README.md", "#", "##", "data/export/tfrecord/README.md: not the bytes"),
    ],
)
def test_a_file_of_the_workspace_that_was_edited(place: Place, file: str, old: str, new: str, expected: str) -> None:
    path = place.root / file
    path.chmod(0o644)
    place.write(file, place.read(file).replace(old, new, 1))
    assert expected in damaged(verify(place))


def test_a_workspace_that_went_on_to_another_dataset(place: Place) -> None:
    place.write("params.yaml", place.read("params.yaml").replace("name: sample", "name: other", 1))
    assert not any("workspace" in line for line in verify(place, "sample@v1.0.0", ok=True))


def test_a_tag_that_was_moved_to_an_edited_commit(place: Place) -> None:
    message = place.git("for-each-ref", "--format=%(contents)", "refs/tags/sample@v1.0.0")
    place.write("params.yaml", place.read("params.yaml").replace("seed: 0 ", "seed: 7 ", 1))
    place.write("data/label_map.pbtxt", place.read("data/label_map.pbtxt").replace('"dog"', '"dot"'))
    place.write("stages/split.py", place.read("stages/split.py") + "\n")
    place.commit("edited")
    place.git("-c", "user.name=A", "-c", "user.email=a@b", "tag", "-fam", message, "sample@v1.0.0")
    found = damaged(verify(place))
    assert "params.yaml: split.seed is 7" in found
    assert "data/label_map.pbtxt: at sample@v1.0.0 it has" in found
    assert "stages/split.py: at sample@v1.0.0 it has" in found
    assert "record 1 (" in found  # class id 2 is 'dog' here, and 'dot' in the label map


def test_a_tag_that_no_build_made(place: Place) -> None:
    place.git("tag", "sample@light")
    done = place.shardsmith("verify", "light", ok=False)
    assert (done.returncode, "a lightweight tag" in done.stderr) == (1, True)
    done = place.shardsmith("verify", "none", ok=False)
    assert (done.returncode, "the versions are: sample@v1.0.0" in done.stderr) == (1, True)


def cut_last_record(path: Path) -> None:
    """So that every reader takes the file to be whole."""
    last = list(read_frames(path))[-1][0]
    os.truncate(path, path.stat().st_size - len(last) - 16)


def rename_class(path: Path) -> None:
    path.write_text(path.read_text().replace('"dog"', '"dot"'))


@pytest.mark.parametrize(
    ("pattern", "damage", "expected"),
    [
        ("*-train.tfrecord-*", flip_bit, ["not the bytes that were recorded", "record 1: it is damaged (checksum)"]),
        ("*-train.tfrecord-*", cut_last_record, ["not the bytes", "7 records, and dataset_info.json says 8"]),
        ("*-train.tfrecord-*", Path.unlink, ["missing: pull again: shardsmith pull sample@v1.0.0"]),
        ("label_map.pbtxt", rename_class, ["not the bytes", "class id 2 is 'dog' here, and 'dot' in the label map"]),
        ("label_map.pbtxt", lambda path: path.write_text("item {"), ["not the bytes", "cannot be read"]),
        ("features.json", lambda path: path.with_name("new.json").write_text("{}"), ["new.json: no file of this ver"]),
    ],
    ids=["flipped bit", "cut between two records", "missing", "label map", "no label map", "one too many"],
)
def test_a_pulled_copy(
    pulled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, damage: object, expected: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    copy = tmp_path / "copy"
    shutil.copytree(pulled, copy)
    tag, checks = verify_pulled(copy, None)
    assert (tag, [check.damage for check in checks]) == ("sample@v1.0.0", [[], [], []])
    (path,) = (copy / "tfrecord").glob(pattern)
    path.chmod(0o644)
    damage(path)  # type: ignore[operator]
    found = "\n".join(line for check in verify_pulled(copy, None)[1] for line in check.lines())
    assert all(part in found for part in expected), found


@pytest.mark.parametrize(
    ("file", "is_note"),
    [
        (".DS_Store", True),
        ("tfrecord/Thumbs.db", True),
        ("ultralytics/labels/train.cache", True),
        (".ipynb_checkpoints/a.txt", True),
        ("runs/events.out.tfevents.1", True),
        ("best.pt", True),
        ("tfrecord/sample-train.tfrecord-00001-of-00002", False),
        ("images/train/new.JPG", False),
        ("labels/train/new.txt", False),
        ("more.csv", False),
    ],
)
def test_a_file_that_is_no_data_is_a_note(pulled: Path, built: Place, tmp_path: Path, file: str, is_note: bool) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(pulled, copy)
    (copy / file).parent.mkdir(parents=True, exist_ok=True)
    (copy / file).write_bytes(b"x")
    for strict, accepted in ((False, is_note), (True, False)):
        _, checks = verify_pulled(copy, None, strict)
        assert any("no file of this version" in damage.why for damage in checks[0].damage) is not accepted
    said: list[str] = []
    if is_note:
        pull("v1.0.0", copy, said.append, repo=str(built.root))
        assert f"already holds sample@v1.0.0; files that are not of it: 1 ({file})" in said[0]
    with pytest.raises(VersionError, match="holds something else"):
        pull("v1.0.0", copy, print, repo=str(built.root), strict=True)


@pytest.mark.parametrize(
    ("move", "expected"),
    [
        (("-a", "-m", "moved", "sample@v1.0.0", "sample@v2^{commit}"), "its message says data/export is None"),
        (("sample@v1.0.0", "sample@v2"), "its message is that of sample@v2"),
    ],
    ids=["by hand", "the tag of another version"],
)
def test_a_tag_that_was_moved_is_not_pulled(place: Place, tmp_path: Path, move: tuple[str, ...], expected: str) -> None:
    message = place.git("for-each-ref", "--format=%(contents)", "refs/tags/sample@v1.0.0")
    who = ("-c", "user.name=A", "-c", "user.email=a@b")
    place.write("params.yaml", place.read("params.yaml") + "\n")
    place.commit("another")
    place.git(*who, "tag", "-a", "-m", message.replace("v1.0.0", "v2"), "sample@v2")
    place.git(*who, "tag", "-f", *move)
    with pytest.raises(VersionError, match=expected):
        pull("sample@v1.0.0", tmp_path / "out", print, repo=str(place.root))


def test_a_pulled_copy_whose_record_was_edited_with_it(pulled: Path, built: Place, tmp_path: Path) -> None:
    shutil.copytree(pulled, tmp_path / "copy")
    path, record = tmp_path / "copy/tfrecord/label_map.pbtxt", tmp_path / "copy/VERSION.json"
    before = hashlib.md5(path.read_bytes()).hexdigest()
    path.chmod(0o644)
    rename_class(path)
    record.write_text(record.read_text().replace(before, hashlib.md5(path.read_bytes()).hexdigest()))
    found = damaged(verify(built, str(tmp_path / "copy")))
    assert "VERSION.json: its list of files is not that of the version" in found
    content = json.loads(record.read_text())
    content["hashes"]["data/export"] = tree_hash({name: md5_of(entry) for name, entry in content["files"].items()})
    record.write_text(json.dumps(content))
    assert "and sample@v1.0.0 stands for" in damaged(verify(built, str(tmp_path / "copy")))
    verify(built, str(pulled), ok=True)


def md5_of(entry: object) -> str:
    return str(entry["md5"] if isinstance(entry, dict) else entry)


@pytest.mark.parametrize("how", ["changed", "missing"])
def test_a_published_manifest(place: Place, how: str) -> None:
    path = place.root.parent / "store/versions/sample@v1.0.0.json"
    path.write_text("{}") if how == "changed" else path.unlink()
    assert "DAMAGED: versions/sample@v1.0.0.json in the remote 'store': " in damaged(verify(place, "--remote"))


@pytest.fixture
def s3(place: Place) -> Iterator[Place]:
    """The copy, with its data in an S3 bucket."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}
    client = boto3.client(
        "s3", endpoint_url=address, aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1"
    )
    client.create_bucket(Bucket="bucket")
    for path in (place.root / "../store").rglob("*"):
        if path.is_file():
            client.upload_file(str(path), "bucket", f"path/{path.relative_to(place.root / '../store')}")
    (place.root / ".dvc/config.local").write_text(
        f"['remote \"store\"']\n    url = s3://bucket/path\n    endpointurl = {address}\n"
    )
    yield Place(place.root, place.env | keys | {"ADDRESS": address})
    server.stop()


def test_an_s3_remote(s3: Place) -> None:
    (one, flipped), (other, missing) = shard(s3), shard(s3, "valid")
    shutil.rmtree(objects(s3))
    verify(s3, "--remote", ok=True)
    client = boto3.client(
        "s3", endpoint_url=s3.env["ADDRESS"], aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1"
    )
    key = f"path/files/md5/{flipped[:2]}/{flipped[2:]}"
    data = bytearray(client.get_object(Bucket="bucket", Key=key)["Body"].read())
    data[300] ^= 1
    client.put_object(Bucket="bucket", Key=key, Body=bytes(data))
    client.delete_object(Bucket="bucket", Key=f"path/files/md5/{missing[:2]}/{missing[2:]}")
    found = damaged(verify(s3, "--remote"))
    assert f"data/export/{one}: not the bytes" in found
    assert f"data/export/{one}: record 1: it is damaged (checksum)" in found
    assert f"data/export/{other}: missing in the remote 'store'" in found


def test_a_rebuild_gives_the_same(place: Place) -> None:
    shutil.rmtree(objects(place))  # raw data comes from the remote
    before = sorted(place.root.rglob("*"))
    lines = verify(place, "--rebuild", ok=True)
    assert "ok: rebuild: data/export, label map, splits and metrics came out byte for byte the same" in lines
    assert [path for path in sorted(place.root.rglob("*")) if "tmp" not in path.parts] == [
        path for path in before if "tmp" not in path.parts
    ]


def test_a_rebuild_names_the_record_that_was_forged(place: Place) -> None:
    """A shard whose third record was changed, with right checksums, hashes, lock and tag: only a rebuild can tell."""
    file, md5 = shard(place)
    records = [record for record, _ in read_frames(objects(place) / md5[:2] / md5[2:])]
    example = Example.FromString(records[2])
    image = example.features.feature["image/filename"].bytes_list.value[0].decode()
    encoded = example.features.feature["image/encoded"].bytes_list.value
    looks = (image_bytes(48, 40, seed) for seed in range(99, 999))
    encoded[0] = other = next(look for look in looks if len(look) == len(encoded[0]))  # TFDS's files tell the sizes
    example.features.feature["image/key/sha256"].bytes_list.value[0] = hashlib.sha256(other).hexdigest().encode()
    records[2] = example.SerializeToString(deterministic=True)
    forged = b"".join(b"".join(frame(record)) for record in records)
    files = listing(place) | {file: hashlib.md5(forged).hexdigest()}
    text = json.dumps([{"md5": files[name], "relpath": name} for name in sorted(files)], sort_keys=True)
    for name, data in ((files[file], forged), (tree_hash(files), text.encode())):
        path = objects(place) / name[:2] / name[2:]
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    place.write("dvc.lock", place.read("dvc.lock").replace(export_hash(place), tree_hash(files)))
    place.commit("forged")
    label_map = hashlib.md5(place.read("data/label_map.pbtxt").encode()).hexdigest()
    message = f"forged\n\ndata/export: {tree_hash(files)}\ndata/label_map.pbtxt: {label_map}"
    place.git("-c", "user.name=A", "-c", "user.email=a@b", "tag", "-am", message, "sample@v2.0.0")
    (place.root / "data/export").rename(place.root.parent / "export")
    assert all(line.startswith("ok") for line in verify(place, "v2.0.0", ok=True)[:-1])
    found = damaged(verify(place, "v2.0.0", "--rebuild"))
    assert f"DAMAGED: data/export/{file}: record 3 ({image}): image/encoded, image/key/sha256 differs: " in found
    assert len(found.splitlines()) == 1


@pytest.mark.parametrize("share", ["one of each kind", pytest.param("all", marks=pytest.mark.long)])
def test_a_flipped_bit_in_any_stored_file(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], share: str
) -> None:
    """All that can change a version or a later build is found. What may not be: a comment in params.yaml, for its
    values are compared.
    """
    for key in ("HOME", "GIT_CONFIG_NOSYSTEM"):
        monkeypatch.setenv(key, place.env[key])
    files = stored_files(Workspace(place.root), "sample@v1.0.0")
    flips = flip_each(Workspace(place.root), files * 2 if share == "all" else list(dict(files).items()))
    with capsys.disabled():
        print("\n" + "\n".join(table(flips)))
    assert share != "all" or len(flips) >= 254
    assert [(flip.path, flip.bit) for flip in flips if not flip.found and flip.path.name != "params.yaml"] == []
