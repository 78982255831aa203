"""A repository of anyone's, cloned: looking into it runs nothing that it brings, whatever it brings it in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import CODE, image_bytes

from shardsmith.cli.main import make_parser
from shardsmith.dataset.errors import RawDataError, ShardsmithError, VersionError
from shardsmith.store.stores import open_stores
from shardsmith.workspace.git import opened
from shardsmith.workspace.workspace import Workspace

pytestmark = pytest.mark.slow
MD5 = "0123456789abcdef0123456789abcdef"
S3 = """[core]
    remote = store
['remote "store"']
    url = s3://bucket/path
    endpointurl = http://127.0.0.1:9
"""
AWS = S3 + "    configpath = {root}/aws.cfg\n"
PLACES = {
    "config": {".dvc/config": AWS},
    "config.local": {".dvc/config": S3, ".dvc/config.local": AWS},
    "config.local in capitals": {".dvc/config": S3, ".dvc/CONFIG.local": AWS},
    "database": {".dvc/config": S3.replace("]\n", "]\n    site_cache_dir = {root}/database\n", 1)},
    "a link": {"else/config": S3, "else/config.local": AWS},
}


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


def stranger(folder: Path, ran: Path, files: dict[str, str]) -> Path:
    """A repository with a version `sample@v1` that nobody has the data of; whatever of it is run makes `ran`."""
    touch = f"import pathlib\npathlib.Path({str(ran)!r}).touch()\n"
    outs = [{"path": "data/export", "md5": f"{MD5}.dir"}, {"path": "data/label_map.pbtxt", "md5": MD5}]
    common = {
        "params.yaml": "dataset: {name: sample}\n",
        "dvc.yaml": f"stages: {{export: {{cmd: touch {ran}, deps: [data/raw], outs: [data/export]}}}}\n",
        "dvc.lock": json.dumps({"schema": "2.0", "stages": {"export": {"cmd": "x", "outs": outs}}}),
        "data/metrics.json": json.dumps(
            {"images": 1, "boxes": 1, "classes": {"cat": {}}, "findings": {}, "splits": {}}
        ),
        "aws.cfg": f"[default]\ncredential_process = touch {ran}\nregion = x\n",
        ".gitignore": "data/raw\n",
        "flows/build.py": touch,
        "stages/export.py": touch,
        **{f"{name}.py": touch for name in ("dvc", "prefect", "shardsmith", "json", "typing", "sitecustomize")},
    }
    for path, text in (common | files).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text.replace("{root}", str(folder)), encoding="utf-8")
    if "else/config" in files:
        (folder / ".dvc").symlink_to("else")
    git(folder, "init", "-q")
    git(folder, "add", "-Af")
    who = ("-c", "user.name=A", "-c", "user.email=a@b")
    git(folder, *who, "commit", "-qm", "x")
    message = "x\n\n" + "".join(f"{out['path']}: {out['md5']}\n" for out in outs)
    git(folder, *who, "tag", "-am", message, "sample@v1")
    return folder


def answer(*arguments: str) -> str:
    options = make_parser().parse_args(arguments)
    try:
        return str(options.run(options))
    except ShardsmithError as error:
        return str(error)


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without settings of its own."""
    for key in [key for key in os.environ if key.startswith(("AWS_", "DVC_", "GIT_"))]:
        monkeypatch.delenv(key)
    home = {"HOME": tmp_path / "home", "DVC_GLOBAL_CONFIG_DIR": tmp_path / "global", "DVC_SYSTEM_CONFIG_DIR": tmp_path}
    for key, value in (home | {"AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "1"}).items():
        monkeypatch.setenv(key, str(value))
    monkeypatch.setattr("shardsmith.workspace.retry.ENOUGH_S", 0)


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("place", PLACES)
def test_a_strangers_repository_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    ran = tmp_path / "ran"
    bare = stranger(tmp_path / "theirs", ran, PLACES[place])
    git(tmp_path, "clone", "-q", "--bare", str(bare), "bare.git")
    said = answer("pull", "v1", "--repo", str(tmp_path / "bare.git"), "--out", str(tmp_path / "out"))
    assert "sample@v1: the list of its files" in said or "'store'" in said
    git(tmp_path, "clone", "-q", "bare.git", "clone")
    monkeypatch.chdir(tmp_path / "clone")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.jpg").write_bytes(image_bytes())
    for command in ("verify", "verify v1 --remote", "pull v1", "show v1 --json", "show v1 --code torch", "versions",
                    "diff v1 workspace", "report v1", "labels", f"fetch {tmp_path / 'data'}"):  # fmt: skip
        answer(*command.split())
        assert not ran.exists(), command
    assert not (tmp_path / "theirs/database").exists()


@pytest.mark.usefixtures("alone")
def test_what_is_believed_of_a_remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a clone an address alone; where one works all that names no file; what stands in no repository always."""
    text = S3 + "    region = there\n    profile = team\n    access_key_id = K\n"
    workspace = Workspace(stranger(tmp_path / "w", tmp_path / "ran", {".dvc/config": text}))
    address = {"url": "s3://bucket/path", "endpointurl": "http://127.0.0.1:9", "region": "there"}

    def of(is_clone: bool) -> dict[str, object]:
        believed = workspace.remote_config(is_clone)["remote"]["store"]
        return {key: believed[key] for key in sorted(believed) if believed[key] not in (True, False)}

    assert of(is_clone=True) == address
    assert of(is_clone=False) == address | {"profile": "team", "access_key_id": "K"}
    own = "['remote \"store\"']\n    configpath = /mine\n"
    (workspace.root / ".dvc/config.local").write_text(own)
    assert of(is_clone=True) == address
    assert of(is_clone=False)["configpath"] == "/mine"
    (workspace.root / ".dvc/config.local").unlink()
    (tmp_path / "global").mkdir()
    for url, counts in (("s3://other", False), ("s3://bucket/path", True)):
        (tmp_path / "global/config").write_text(f"{own}    secret_access_key = S\n    url = {url}\n")
        assert ("secret_access_key" in of(is_clone=True)) == counts
    (workspace.root / ".dvc/config").write_text(AWS.format(root=tmp_path))
    with pytest.raises(VersionError, match="dvc remote modify --local store configpath"):
        of(is_clone=False)


@pytest.mark.parametrize(
    "text",
    ["core = y", "[remote]\nstore = x", S3 + "    region = %(x)s", S3.replace("bucket", "b, c"), S3 + "\xff", "[[x]]",
     S3.replace("s3://bucket", "remote://store"), S3.replace("s3://bucket", "nosuch://x"), S3 + "    verify = maybe"],
)  # fmt: skip
@pytest.mark.parametrize("is_clone", [True, False])
def test_odd_settings_are_one_line(tmp_path: Path, text: str, is_clone: bool) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text(text, encoding="latin-1")
    with suppress(VersionError), open_stores(Workspace(tmp_path), is_clone) as stores:
        assert stores.remote is None or "store" in stores.remote.name


def test_a_dataset_beside_modules_of_its_own(tmp_path: Path) -> None:
    """Whoever stands in a strangers' folder starts worker processes from their own Python alone."""
    ran, program = tmp_path / "ran", tmp_path / "program/work.py"
    theirs = stranger(tmp_path / "theirs", ran, {"multiprocessing.py": f"open({str(ran)!r}, 'w')\n"})
    program.parent.mkdir()
    program.write_text(
        "from shardsmith.dataset import workers\n"
        "if __name__ == '__main__':\n"
        "    workers.ALONE_S = 0\n"
        "    assert list(workers.map_items(abs, [-1] * 99, 'x', chunk=1)) == [1] * 99\n"
    )
    env = os.environ | {"SHARDSMITH_WORKERS": "2", "PYTHONPATH": CODE}
    subprocess.run([sys.executable, str(program)], cwd=theirs, env=env, check=True)
    assert not ran.exists()


def test_links_of_a_clone_lead_nowhere(tmp_path: Path) -> None:
    theirs = stranger(tmp_path / "theirs", tmp_path / "ran", {})
    (theirs / "params.yaml").unlink()
    (theirs / "params.yaml").symlink_to("/dev/zero")
    git(theirs, "add", "-A")
    git(theirs, "-c", "user.name=A", "-c", "user.email=a@b", "commit", "-qm", "a link")
    git(tmp_path, "clone", "-q", "--bare", "theirs", "bare.git")
    with opened(str(tmp_path / "bare.git"), "--repo") as root:
        assert (root / "params.yaml").read_text() == "/dev/zero"
    with pytest.raises(RawDataError, match="a pipe, socket or device"):
        Workspace(theirs).params()


def test_a_folder_that_was_handed_over_with_its_git_settings(tmp_path: Path) -> None:
    """What git reads with is no program that the folder names."""
    ran, program = tmp_path / "ran", tmp_path / "program"
    workspace = Workspace(stranger(tmp_path / "w", ran, {}))
    program.write_text(f"#!/bin/sh\ntouch {ran}\n")
    program.chmod(0o755)
    commit = workspace.git("cat-file", "commit", "HEAD").replace(
        "\n\n", "\ngpgsig -----BEGIN PGP SIGNATURE-----\n\n", 1
    )
    (tmp_path / "commit").write_text(commit)
    signed = workspace.git("hash-object", "-t", "commit", "-w", str(tmp_path / "commit")).strip()
    for key, value in (("log.showSignature", "true"), ("gpg.program", program), ("core.fsmonitor", program)):
        workspace.git("config", key, str(value))
    workspace.git("show", "-s", "--format=%cI", signed)
    workspace.git("status", "--porcelain")
    assert not ran.exists()
