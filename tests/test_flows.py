"""From raw data to a version that a training job pulls: with real git, real DVC and a real Prefect server."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer
from ruamel.yaml import YAML
from workspaces import BIN, Place, copied

from shardsmith.store.pulled import hash_files, tree_hash

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flows")]


@pytest.fixture
def place(built: Place, tmp_path: Path) -> Place:
    """A copy of `built` to be changed."""
    return copied(built, tmp_path / "copy")


def locked(place: Place, path: str = "data/export") -> str:
    stages = YAML(typ="safe", pure=True).load(place.read("dvc.lock"))["stages"]
    return next(out["md5"] for stage in stages.values() for out in stage["outs"] if out["path"] == path)


def test_a_version_is_a_tag_on_a_commit_of_just_its_files(built: Place) -> None:
    assert built.tags() == ["sample@one"]
    assert built.git("cat-file", "-t", "sample@one") == "tag"
    committed = set(built.git("show", "--name-only", "--format=", "HEAD").split())
    assert committed == {
        "data/label_map.pbtxt", "data/metrics.json", "data/plots/classes.csv", "data/plots/findings.csv",
        "data/plots/splits.csv", "data/raw.dvc", "data/shards.csv", "data/splits.csv", "dvc.lock",
    }  # fmt: skip


def test_other_changes_stay_as_they_were(built: Place) -> None:
    status = built.git("status", "--porcelain").splitlines()
    assert sorted(line.strip() for line in status) == ["?? notes.txt", "A  staged.txt", "M README.md"]


def test_a_second_build_says_that_nothing_changed(built: Place) -> None:
    before = built.git("rev-parse", "HEAD")
    done = built.build()
    assert done.stdout == "nothing changed since sample@one\n"
    assert (built.git("rev-parse", "HEAD"), built.tags()) == (before, ["sample@one"])


def test_list_and_show(built: Place) -> None:
    (version,) = json.loads(built.shardsmith("versions", "--json").stdout)
    counts = {"dataset": "sample", "name": "one", "images": 10, "boxes": 10, "classes": 2}
    assert {key: version[key] for key in counts} == counts
    assert version["commit"] == built.git("rev-parse", "HEAD")
    shown = json.loads(built.shardsmith("show", "one", "--json").stdout)
    assert shown["metrics"]["images"] == 10
    assert "sample@one" in built.shardsmith("show", "sample@one").stdout


def test_prefect_shows_each_stage_and_the_counts(built: Place) -> None:
    host = built.env["PREFECT_API_URL"].removeprefix("http://").removesuffix("/api")

    def ask(path: str) -> list[dict]:
        connection = http.client.HTTPConnection(host, timeout=30)
        connection.request("POST", f"/api/{path}/filter", "{}", {"Content-Type": "application/json"})
        return json.loads(connection.getresponse().read())

    stages = {"ingest", "validate", "split", "preprocess", "augment", "export", "read back", "record"}
    assert stages <= {run["name"] for run in ask("task_runs")}
    artifacts = ask("artifacts")  # other tests' builds show theirs on this server, too
    assert any("| images |" in one["data"] for one in artifacts if one["key"] == "version")
    counts = [json.loads(one["data"])[0].items() for one in artifacts if one["key"] == "counts"]
    assert any({"count": "images", "all": "10"}.items() <= one for one in counts)
    assert "recorded sample@one" in {run["state"]["message"].partition(" at ")[0] for run in ask("flow_runs")}


def test_plain_dvc_computes_the_same(built: Place, tmp_path: Path) -> None:
    clone = built.clone(tmp_path / "elsewhere")
    clone.git("checkout", "-q", "sample@one")
    clone.dvc("pull", "-q", "data/raw.dvc")
    assert not (clone.root / "data/export").exists()
    clone.dvc("repro", SHARDSMITH_WORKERS="2")
    assert clone.git("status", "--porcelain") == ""
    assert clone.read("dvc.lock") == built.read("dvc.lock")


def test_a_new_name_for_the_same_content_tags_the_same_commit(place: Place) -> None:
    place.build("--name", "two")
    assert place.tags() == ["sample@one", "sample@two"]
    assert place.git("rev-parse", "sample@two^{commit}") == place.git("rev-parse", "sample@one^{commit}")
    assert "nothing changed since" in place.build("--name", "one").stdout + place.build("--name", "two").stdout


def test_more_data_makes_another_version_and_a_taken_name_is_refused(place: Place) -> None:
    place.add_image("10", "bird", 10)
    refused = place.quick_build("one", ok=False)
    assert refused.returncode == 1
    assert "sample@one stands for other content" in refused.stderr
    assert place.tags() == ["sample@one"]
    place.quick_build("more")
    assert place.tags() == ["sample@more", "sample@one"]
    assert 'name: "bird"\n  id: 3' in place.read("data/label_map.pbtxt")
    assert [v["images"] for v in json.loads(place.shardsmith("versions", "--json").stdout)] == [10, 11]


def test_a_typo_that_was_undone_leaves_no_trace(place: Place) -> None:
    place.add_image("10", "brid", 10)
    place.quick_repro("ingest")
    assert "brid" in place.read("data/label_map.pbtxt")
    place.add_image("10", "bird", 10)
    place.quick_build("fixed")
    assert "brid" not in place.read("data/label_map.pbtxt")
    assert 'name: "bird"\n  id: 3' in place.read("data/label_map.pbtxt")


@pytest.mark.parametrize("name", ["a b", "a..b", "-x/", "v/1", "v1@2", ""])
def test_a_name_that_git_or_a_store_refuses(built: Place, name: str) -> None:
    done = built.build(f"--name={name}", ok=False)
    assert (done.returncode, built.tags()) == (1, ["sample@one"])
    assert "not a version's name" in done.stderr


def test_settings_stay_only_when_the_build_succeeds(place: Place) -> None:
    before = place.read("params.yaml")
    for wrong, code, message in (
        ("augment.copys=3", 1, "did you mean copies"),
        ("split.strategy=source", 1, "split: dvc repro failed"),
        ("split", 2, "not KEY=VALUE"),
    ):
        done = place.build("-S", wrong, ok=False)
        assert done.returncode == code
        assert message in done.stderr
        assert "Traceback" not in done.stderr
        assert place.read("params.yaml") == before
    place.build("--name", "two", "-S", "split.seed=7")
    changed = [line for line in place.read("params.yaml").splitlines() if line not in before.splitlines()]
    comment = "another number gives new images another stable or stratified split"
    assert changed == [f"  seed: 7                     # {comment}"]


@pytest.mark.parametrize("file", ["stages/split.py", "pipelines/new.yaml"])
def test_code_that_is_not_committed_stops_the_build(place: Place, file: str) -> None:
    place.write(file, "# changed\n" + (place.read(file) if (place.root / file).exists() else ""))
    done = place.build(ok=False)
    assert done.returncode == 1
    assert f"{file}: code that differs from HEAD" in done.stderr


def test_pull_brings_the_files_and_says_what_they_are(built: Place, tmp_path: Path) -> None:
    out = tmp_path / "pulled"
    built.shardsmith("pull", "one", "--out", str(out))
    stored = {path.relative_to(built.root / "data/export"): path for path in (built.root / "data/export").rglob("*.*")}
    for relative, path in stored.items():
        assert (out / relative).read_bytes() == path.read_bytes()
    record = json.loads((out / "VERSION.json").read_text())
    assert (record["tag"], record["hashes"]) == ("sample@one", {"data/export": locked(built)})
    assert record["files"]["tfrecord/README.md"] == hashlib.md5((out / "tfrecord/README.md").read_bytes()).hexdigest()


@pytest.mark.parametrize("address", ["{}", "file://{}"])
def test_pull_by_path_or_url_from_anywhere(built: Place, tmp_path: Path, address: str) -> None:
    outside = Place(tmp_path, built.env)
    repo = address.format(built.root)
    done = outside.shardsmith("pull", "one", "--repo", repo, "--out", "x", "--json")
    assert json.loads(done.stdout)["dataset"] == "sample"
    assert (tmp_path / "x/tfrecord/label_map.pbtxt").is_file()


def test_pull_leaves_another_folder_alone(built: Place, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/file").write_text("mine")
    done = built.shardsmith("pull", "one", "--out", str(tmp_path / "mine"), ok=False)
    assert (done.returncode, (tmp_path / "mine/file").read_text()) == (1, "mine")
    assert "holds something else" in done.stderr
    built.shardsmith("pull", "one", "--out", str(tmp_path / "mine"), "--force")
    assert not (tmp_path / "mine/file").exists()
    assert "already holds" in built.shardsmith("pull", "one", "--out", str(tmp_path / "mine")).stderr


def test_pull_refuses_what_was_not_recorded(place: Place, tmp_path: Path) -> None:
    shard = max((place.root / "data/export/tfrecord").glob("*train*"))
    digest = hashlib.md5(shard.read_bytes()).hexdigest()
    for store in (place.root / ".dvc/cache", place.root.parent / "store"):
        for path in store.rglob(digest[2:]):
            path.chmod(0o644)
            path.write_bytes(path.read_bytes()[:-1] + b"x")
    done = place.shardsmith("pull", "one", "--out", str(tmp_path / "x"), ok=False)
    assert done.returncode == 1
    assert shard.name in done.stderr
    assert not (tmp_path / "x").exists()
    assert not list((tmp_path / ".x.part").rglob(f"{shard.name}*"))


def test_unknown_version_lists_the_known(built: Place, tmp_path: Path) -> None:
    done = built.shardsmith("pull", "none", "--out", str(tmp_path / "x"), ok=False)
    assert (done.returncode, "the versions are: sample@one" in done.stderr) == (1, True)


@pytest.mark.long  # the stages by themselves in test_workers and test_augment
def test_two_clones_with_one_and_two_workers_and_everything_on(place: Place, tmp_path: Path) -> None:
    for number in range(10, 60):  # enough for more than one process
        place.add_image(f"{number}", "cat", number)
    place.write("params.yaml", place.read("params.yaml").replace("enabled: false", "enabled: true "))
    hashes = []
    for workers in ("1", "2"):
        copy = Place(tmp_path / f"{'deep/' * int(workers)}w", place.env)
        shutil.copytree(place.root, copy.root)
        copy.dvc("add", "-q", "data/raw")
        copy.dvc("repro", "-q", SHARDSMITH_WORKERS=workers)
        hashes.append(locked(copy))
    assert hashes[0] == hashes[1] != locked(place)


@pytest.mark.parametrize("seconds", [0.3, 0.5, 0.7])
def test_ctrl_c_in_a_stage_leaves_nothing_broken(place: Place, seconds: float) -> None:
    command = [sys.executable, "stages/export.py", "data/augment", "data/ingest/source.json", "data/label_map.pbtxt"]
    before = locked(place)
    process = subprocess.Popen(
        [*command, "data/export", "data/metrics.json", "data/plots", "data/shards.csv"],
        cwd=place.root, env=place.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=60)[0]
    assert process.returncode in (0, 130, -signal.SIGINT)
    assert "Traceback" not in output
    assert tree_hash(hash_files(place.root / "data/export")) == before


def test_metrics_and_plots_are_dvcs(built: Place) -> None:
    metrics = json.loads(built.dvc("metrics", "show", "--json").stdout)
    assert metrics[""]["data"]["data/metrics.json"]["data"]["images"] == 10
    plots = built.dvc("plots", "show", "--out", "/tmp/none", "--json").stdout
    assert {"classes", "splits", "findings"} <= set(json.loads(plots)["data"])


def test_dvc_get_brings_a_version_too(built: Place, tmp_path: Path) -> None:
    Place(tmp_path, built.env).dvc("get", "-q", str(built.root), "data/export", "--rev", "sample@one", "-o", "x")
    assert (tmp_path / "x/tfrecord/README.md").read_bytes() == (
        built.root / "data/export/tfrecord/README.md"
    ).read_bytes()


@pytest.mark.long  # the same by another door in test_bad_remote
def test_s3_remote(place: Place, tmp_path: Path) -> None:
    """Publish to an S3-protocol server, and pull in a clone that has nothing but the repository and the bucket."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}
    address = f"http://{host}:{port}"
    try:
        boto3.client(
            "s3", endpoint_url=address, aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1"
        ).create_bucket(Bucket="bucket")
        (place.root / ".dvc/config.local").unlink()
        place.dvc("remote", "add", "-q", "-f", "-d", "store", "s3://bucket/path")
        place.dvc("remote", "modify", "-q", "store", "endpointurl", address)
        place.dvc("remote", "modify", "-q", "store", "verify", "true")
        place.add_image("10", "bird", 10)
        place.build("--name", "two", **keys)
        clone = Place(place.clone(tmp_path / "clone").root, place.env | keys)
        clone.shardsmith("pull", "two", "--out", str(tmp_path / "pulled"))
        assert tree_hash(hash_files(tmp_path / "pulled")) == locked(place)
        clone.dvc("pull", "-q", "data/raw.dvc")
        assert len(list((clone.root / "data/raw").iterdir())) == 22
    finally:
        server.stop()


@pytest.mark.long  # more of it in test_kills
def test_a_killed_build_leaves_no_half_version_and_the_next_one_works(place: Place) -> None:
    before = place.read("params.yaml")
    place.add_image("10", "bird", 10)
    process = subprocess.Popen(
        [str(BIN / "shardsmith"), "build", "--name", "two", "-S", "split.seed=3"],
        cwd=place.root, env=place.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    assert process.stdout
    for line in process.stdout:
        if line.startswith("validate:"):
            break
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert place.tags() == ["sample@one"]
    assert "seed: 3" in place.read("params.yaml")
    place.build("--name", "two")
    assert place.tags() == ["sample@one", "sample@two"]
    assert place.read("params.yaml") == before


def test_a_full_disk_at_export_is_one_clear_message(place: Place) -> None:
    script = (
        "mkdir small && mount -t tmpfs -o size=16k none small && exec python stages/export.py data/augment "
        "data/ingest/source.json data/label_map.pbtxt small/export data/metrics.json data/plots data/shards.csv"
    )
    done = place.run("unshare", "--map-root-user", "--mount", "sh", "-c", script, ok=False)
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    assert done.returncode == 1
    assert "No space left on device; free some space" in done.stderr
    assert "Traceback" not in done.stderr
