"""show --code: every text that it prints is run as it is printed, where none of our packages can be imported."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from code_jobs import (  # noqa: F401 (fixtures)
    SAID,
    TF_KINDS,
    TRAINING_KINDS,
    VERSIONS,
    WAYS,
    check_value,
    code,
    job,
    place,
    results,
    run,
    shared,
)
from moto.server import ThreadedMotoServer
from workspaces import Place

from shardsmith.snippets.code import VersionShape, contents, without_secrets

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("code")]


@pytest.mark.parametrize(("kind", "way"), [*product(TF_KINDS, WAYS), *product(TRAINING_KINDS, ["git"])])
@pytest.mark.parametrize("version", VERSIONS)
def test_it_is_loaded(shared: Place, results: dict, version: str, kind: str, way: str) -> None:
    result = results[f"{version} {kind} {way}"]
    check_value(shared, version, kind, result["value"])
    assert result["times"][0] == result["times"][-1]  # nothing is downloaded twice
    assert re.fullmatch(SAID[version, kind], result["said"])


def test_the_command_prints_nothing_else(shared: Place) -> None:
    printed = shared.shardsmith("show", "boxes", "--code", "tf.data")
    assert printed.stdout == code(shared, "boxes", "tf.data", "git")
    assert printed.stderr == ""
    assert (
        json.loads(shared.shardsmith("show", "boxes", "--code", "tf.data", "--json").stdout)["code"] == printed.stdout
    )


def test_trackers_are_told_the_version(shared: Place) -> None:
    """test_code_apart runs these: their packages are not in this environment."""
    record = json.loads((shared.root.parent / "store/versions/sample@boxes.json").read_text())
    for kind, way in product(("mlflow", "wandb"), WAYS):
        text = code(shared, "boxes", kind, way)
        compile(text, kind, "exec")
        for said in ("sample@boxes", record["commit"], record["hashes"]["data/export"]):
            assert f'"{said}"' in text


# --- damage


def hold(place: Place, way: str, name: str) -> Path:
    """The file that code of a way reads an object from: DVC's cache where there is no origin."""
    place.git("remote", "remove", "origin")
    objects = place.root / ".dvc/cache/files/md5" if way == "git" else place.root.parent / "store/files/md5"
    path = objects / name[:2] / name[2:]
    path.chmod(0o644)
    return path


@pytest.mark.parametrize("way", WAYS)
def test_a_damaged_file_is_named(place: Place, tmp_path: Path, way: str) -> None:
    manifest = json.loads((place.root.parent / "store/versions/sample@boxes.json").read_text())
    shard = "tfrecord/sample-train.tfrecord-00000-of-00001"
    path = hold(place, way, manifest["files"][shard]["md5"])
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    error = failure(place, tmp_path, way)
    assert f"OSError: not as they were recorded, run it again: ['{shard}']" in error


@pytest.mark.parametrize("way", WAYS)
def test_a_damaged_list_of_files_is_found(place: Place, tmp_path: Path, way: str) -> None:
    """A shard whose name was damaged would be missed by the code that looks for shards, without a word."""
    path = place.root.parent / "store/versions/sample@boxes.json"
    if way == "git":
        path = hold(place, way, json.loads(path.read_text())["hashes"]["data/export"])
    text = code(place, "boxes", "tf.data", way)
    path.write_text(path.read_text().replace("sample-train.", "sample-trbin."))
    error = failure(place, tmp_path, way, text)
    assert "OSError: the list of files is not the one that was recorded" in error


def failure(place: Place, tmp_path: Path, way: str, text: str = "") -> str:
    text = text or code(place, "boxes", "tf.data", way)
    return run(tmp_path / "run", {"it": job(tmp_path / "run", text, "boxes", "tf.data")}, place.env, ok=False)["it"][
        "error"
    ]


# --- addresses


@pytest.fixture
def s3(place: Place) -> Iterator[Place]:
    """The copy, with its data in an S3 bucket, as its repository and origin say; the keys are in config.local."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    keys = {"AWS_ACCESS_KEY_ID": "akey", "AWS_SECRET_ACCESS_KEY": "a-secret", "AWS_DEFAULT_REGION": "us-east-1"}
    client = boto3.client(
        "s3", endpoint_url=address, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    client.create_bucket(Bucket="bucket")
    store = place.root.parent / "store"
    for path in store.rglob("*"):
        if path.is_file():
            client.upload_file(str(path), "bucket", f"path/{path.relative_to(store)}")
    place.write(
        ".dvc/config",
        f"[core]\n    remote = far\n['remote \"far\"']\n    url = s3://bucket/path\n    endpointurl = {address}\n",
    )
    place.write(".dvc/config.local", "['remote \"far\"']\n    access_key_id = akey\n    secret_access_key = a-secret\n")
    place.commit("to S3")
    place.git("-c", "user.name=A", "-c", "user.email=a@b", "tag", "-f", "-am", "moved", "sample@several")
    place.git("push", "-q", "-f", "origin", "HEAD", "sample@several")
    yield Place(place.root, place.env | keys)
    server.stop()


def test_from_s3(s3: Place, tmp_path: Path) -> None:
    texts = {way: code(s3, "several", "tf.data", way) for way in WAYS}
    shutil.rmtree(s3.root / ".dvc/cache")
    assert 's3://bucket/path", endpoint_url="http://127.0.0.1:' in texts["remote"]
    assert texts["remote"].startswith("# pip install fsspec s3fs tensorflow\n")
    assert texts["git"].startswith('# pip install "dvc[s3]" tensorflow\n')
    assert not re.search("akey|a-secret", "".join(texts.values()))
    jobs = {way: job(tmp_path / way, texts[way], "several", "tf.data", 2) for way in WAYS}
    for result in run(tmp_path / "run", jobs, s3.env).values():
        check_value(s3, "several", "tf.data", result["value"])


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("/a folder/x.git", "/a folder/x.git"),
        ("git@example.org:team/x.git", "git@example.org:team/x.git"),
        ("ssh://git@example.org:22/x.git", "ssh://git@example.org:22/x.git"),
        ("ssh://git:pass@example.org/x.git", "ssh://git@example.org/x.git"),
        ("https://user:pass@example.org:8/x.git", "https://example.org:8/x.git"),
        ("https://token@example.org/@team/x.git", "https://example.org/@team/x.git"),
        ("https://example.org/x?sig=abc#d", "https://example.org/x"),
        ("https://example.org?sig=abc", "https://example.org"),
        ("s3://bucket/a path?#", "s3://bucket/a path?#"),
        ("s3://key:secret@bucket/path", "s3://bucket/path"),
    ],
)
def test_addresses_without_secrets(address: str, shown: str) -> None:
    assert without_secrets(address) == shown


def test_no_secret_of_git_or_dvc_is_printed(place: Place) -> None:
    place.git("remote", "set-url", "origin", "https://me:hush1@example.org/x.git?token=hush2")
    for key, value in {"url": "https://me:hush3@example.org/store", "user": "me", "password": "hush4"}.items():
        place.dvc("remote", "modify", "-q", "--local", "store", key, value)
    texts = [code(place, "boxes", kind, way) for kind in ("keras", "yolo") for way in WAYS]
    assert "hush" not in "".join(texts)
    assert 'DVCFileSystem("https://example.org/x.git", rev="sample@boxes")  # the credentials are left out' in texts[0]
    assert 'url_to_fs("https://example.org/store")  # the credentials are left out' in texts[1]


@pytest.mark.parametrize("without", ["origin", "remote"])
def test_without_origin_or_remote_it_is_the_workspace(place: Place, without: str) -> None:
    if without == "origin":
        place.git("remote", "remove", "origin")
    else:
        place.dvc("remote", "remove", "-q", "store")
    assert f'DVCFileSystem("{place.root}", rev=' in code(place, "boxes", "tfds", "git")


# --- what cannot be had


def test_errors_say_the_remedy(place: Place) -> None:
    def refused(*arguments: str) -> str:
        done = place.shardsmith("show", *arguments, ok=False)
        assert (done.returncode, done.stdout) == (1, "")
        return done.stderr

    missing = refused("several", "--code", "yolo")
    assert "sample@several: is not stored as class_folders" in missing
    assert "`shardsmith pull several --format class_folders --out DIR`, then YOLO(" in missing
    assert "no such version" in refused("nine", "--code", "yolo")
    assert "is not stored as ultralytics_pose" in refused("boxes", "--code", "yolo-pose")
    assert "`shardsmith pull boxes --format ultralytics_obb --out DIR`" in refused("boxes", "--code", "yolo-obb")
    assert "labels of whole images, which yolo-seg does not learn; use --code yolo" in refused(
        "labels", "--code", "yolo-seg"
    )
    alone = place.shardsmith("show", "boxes", "--remote", ok=False)
    assert alone.returncode == 2
    assert "error: --remote goes with --code; for example --code tfds --remote" in alone.stderr
    place.dvc("remote", "modify", "-q", "--local", "store", "url", "azure://container/path")
    assert "is at azure://, which cannot be read alone; leave it out" in refused("boxes", "--code", "tfds", "--remote")
    place.dvc("remote", "remove", "-q", "store")
    assert "there is no DVC remote; leave it out" in refused("boxes", "--code", "tfds", "--remote")
    assert "--code wandb: there is no DVC remote; it refers" in refused("boxes", "--code", "wandb")


def tables(images: list[tuple], annotations: list[tuple]) -> tuple[bytes, bytes]:
    """(split, width, height) of images, (image_id, xmin) of annotations, as the two tables."""
    files = []
    for names, rows in ((("split", "width", "height"), images), (("image_id", "xmin"), annotations)):
        stream = io.BytesIO()
        pq.write_table(pa.table({name: [row[n] for row in rows] for n, name in enumerate(names)}), stream)
        files.append(stream.getvalue())
    return files[0], files[1]


@pytest.mark.parametrize(
    ("images", "annotations", "expected"),
    [
        ([("train", 4, 3)], [("a", 1.0)], VersionShape("none", "train", (3, 4))),
        ([("train", 4, 3)], [], VersionShape("none", "train", (3, 4))),  # nothing but negatives
        ([("valid", 4, 3), ("test", 3, 4)], [("a", 1.0), ("a", None)], VersionShape("none", "valid", None)),
        ([("test", 4, 3), ("test", 4, 3)], [("a", None), ("b", None)], VersionShape("one", "test", (3, 4))),
        ([("train", 4, 3), ("test", 4, 3)], [("a", None)], VersionShape("many", "train", (3, 4))),
        ([(None, 4, 3)], [("a", None), ("a", None)], VersionShape("many", "train", (3, 4))),
    ],
)
def test_what_a_version_holds(images: list, annotations: list, expected: VersionShape) -> None:
    assert contents(*tables(images, annotations)) == expected
