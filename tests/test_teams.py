"""What a team does with versions: one repository, one cache of links, remotes that come later, data that must go."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from faults import BUCKET, KEYS, bucket, s3_server
from PIL import Image
from workspaces import XML, Place, make_workspace

from shardsmith.dataset.errors import WithdrawnError
from shardsmith.flow.clone import refresh
from shardsmith.versions.version import check_not_withdrawn
from shardsmith.workspace.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("teams")]
BELOW = Path("top/ml/birds")  # the workspace, in its repository in the folder of the test


@pytest.fixture(scope="module")
def mono(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """sample@v1, and sample@v2 with 10.jpg and a copy of it, in a sub-folder of a repository; no remote yet, links to
    the cache.
    """
    folder = tmp_path_factory.mktemp("mono")
    place = make_workspace(folder / BELOW, folder / "home")
    shutil.rmtree(place.root / ".git")
    top = Place(folder / "top", place.env)
    top.git("init", "-q", "-b", "main")
    place.dvc("config", "cache.dir", "../../../cache")
    place.dvc("config", "cache.type", "symlink")
    top.commit("start")
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(folder / "origin")], check=True)
    place.quick_build("v1")
    place.add_image("10", "cat", 10)
    Image.open(place.root / "data/raw/10.jpg").save(place.root / "data/raw/again.jpg", quality=95)
    place.write("data/raw/again.xml", XML.format(name="again", label="cat", at=3))
    place.quick_build("v2")
    return place


@pytest.fixture
def team(mono: Place, tmp_path: Path) -> Place:
    """A copy to be changed, with remotes that have nothing yet of the versions but their tags."""
    before, folder = mono.root.parents[2], tmp_path / "team"
    shutil.copytree(before, folder, symlinks=True)
    for link in (folder / BELOW / "data").rglob("*"):
        if link.is_symlink():
            target = folder / link.readlink().relative_to(before)
            link.unlink()
            link.symlink_to(target)
    made = Place(folder / BELOW, mono.env | {"HOME": str(folder / "home")})
    made.add_store(folder / "store")
    made.git("-c", "user.name=A", "-c", "user.email=a@b", "commit", "-qm", "remote", ".dvc/config")
    made.git("remote", "add", "origin", str(folder / "origin"))
    made.git("push", "-q", "-u", "origin", "main", "--tags")
    return made


def store(team: Place) -> Path:
    return team.root.parents[2] / "store"


def clone(team: Place, to: Path) -> Place:
    subprocess.run(["git", "clone", "-q", str(team.root.parents[2] / "origin"), str(to)], check=True)
    place = Place(to / "ml/birds", team.env)
    place.dvc("config", "--local", "cache.dir", str(to.parent / "own-cache"))
    return place


def objects(folder: Path) -> set[str]:
    return {f"{path.parent.name}{path.name}" for path in (folder / "files/md5").glob("*/*")}


def test_versions_from_before_the_remote_are_published(team: Place, tmp_path: Path) -> None:
    assert (team.root / "data/raw/00.jpg").is_symlink()
    assert team.shardsmith("publish").stdout == "sample@v1: published\nsample@v2: published\n"
    assert team.shardsmith("publish").stdout == "nothing to publish: all are there\n"
    for name in ("v1", "v2"):
        assert "as recorded" in team.shardsmith("verify", name, "--remote").stdout
    team.shardsmith("pull", "sample@v1", "--remote", str(store(team)), "--out", str(tmp_path / "one"))
    team.dvc("remote", "add", "-q", "--local", "-d", "other", str(tmp_path / "other"))
    assert team.shardsmith("publish", "--json").stdout.count("sample@") == 2  # another remote lacks them
    assert objects(tmp_path / "other") == objects(store(team))


def test_a_fresh_clone_of_the_repository_has_the_data(team: Place, tmp_path: Path) -> None:
    team.shardsmith("publish", "--all")
    fresh = clone(team, tmp_path / "fresh")
    fresh.dvc("pull")
    assert json.loads(fresh.dvc("status", "--json").stdout) == {}
    origin = str(team.root.parents[2] / "origin")
    team.shardsmith("pull", "latest", "--repo", origin, "--out", str(tmp_path / "two"))  # finds the sub-folder
    assert json.loads((tmp_path / "two/VERSION.json").read_text())["tag"] == "sample@v2"


def test_scheduled_builds_have_a_clone_of_the_whole_repository(team: Place) -> None:
    clone = refresh(Workspace(team.root), print)
    assert clone.root == team.root / ".builds/ml/birds"
    names = [sorted(path.name for path in (root / "data/raw").iterdir()) for root in (clone.root, team.root)]
    assert names[0] == names[1]


def test_what_each_version_adds(team: Place) -> None:
    one, two = json.loads(team.shardsmith("versions", "--sizes", "--json").stdout)
    raw = sum(
        (team.root / f"data/raw/{file}").stat().st_size for file in ("10.jpg", "10.xml", "again.jpg", "again.xml")
    )
    assert one["added_bytes"] > one["bytes"] > 0
    assert raw < two["added_bytes"] < one["added_bytes"] + raw
    assert "MB added" in team.shardsmith("versions", "--sizes").stdout


def test_an_image_is_withdrawn_from_every_version(team: Place, tmp_path: Path) -> None:
    team.shardsmith("publish", "--all")
    other = clone(team, tmp_path / "other")
    other.dvc("pull")
    picture = (team.root / "data/raw/10.jpg").resolve()
    asked = ("withdraw", "--image", "10.jpg", "--why", "consent withdrawn")
    shown = team.shardsmith(*asked, "--dry-run").stderr
    assert "sample@v2: ends" in shown and "sample@v1" not in shown and "data/raw/10.jpg: deleted" in shown
    assert "again.jpg: nearly identical" in shown and "add --image again.jpg" in shown
    assert picture.exists()
    assert "--yes" in team.shardsmith(*asked, ok=False).stderr  # nobody to ask

    assert team.shardsmith(*asked, "--yes").stdout == "sample@v2: withdrawn\n"
    md5 = picture.parent.name + picture.name
    assert md5 not in objects(store(team)) | objects(team.root.parents[2] / "cache")
    assert not (team.root / "data/raw/10.jpg").is_symlink()
    assert "v2" not in team.git("ls-remote", "--tags", "origin")
    assert "as recorded" in team.shardsmith("verify", "v1", "--remote").stdout
    for where in (("--remote", str(store(team))), ()):
        said = team.shardsmith("pull", "sample@v2", *where, "--out", str(tmp_path / "no"), ok=False).stderr
        assert "sample@v2: withdrawn on" in said and "consent withdrawn" in said
    assert "consent withdrawn" in team.shardsmith("versions").stdout
    assert "not used again" in team.shardsmith("build", "--name", "v2", ok=False).stderr

    other.git("pull", "-q")  # what each clone does
    assert other.shardsmith("withdraw", "--yes").stdout == "sample@v2: withdrawn\n"
    assert md5 not in objects(tmp_path / "own-cache")
    assert "nothing to withdraw" in other.shardsmith("withdraw", "--yes").stderr
    (team.root / "data/raw/10.xml").unlink()
    assert "recorded sample@v3" in team.quick_build("v3").stdout


def test_a_version_is_withdrawn_and_its_content_too(team: Place) -> None:
    team.shardsmith("publish", "--all")
    before = objects(store(team))
    for name in ("copy", "bad"):
        shutil.copytree(store(team), store(team).with_name(name))
        team.dvc("remote", "add", "-q", "--local", name, str(store(team).with_name(name)))
    (store(team).with_name("bad") / "versions/sample@other.json").write_text("{}")
    said = team.shardsmith("withdraw", "v2", "--why", "wrong labels", "--yes").stderr
    assert "could not be looked into (versions/sample@other.json in the remote 'bad'" in said
    assert objects(store(team).with_name("copy")) == objects(store(team))
    assert "wrong labels" in (store(team).with_name("copy") / "versions/sample@v2.json").read_text()
    raw = {path.resolve() for path in (team.root / "data/raw").iterdir()}
    gone = before - objects(store(team))
    assert gone and not gone & {path.parent.name + path.name for path in raw}  # which the next build starts from
    workspace = Workspace(team.root)
    with pytest.raises(WithdrawnError, match="what stands here is the same content"):
        check_not_withdrawn(workspace, "sample@v3", workspace.lock_file())
    assert team.tags() == ["sample@v1"]


@pytest.mark.long
def test_a_version_is_withdrawn_from_a_bucket(team: Place, tmp_path: Path) -> None:
    with s3_server() as (host, port):
        place = Place(team.root, team.env | KEYS | {"AWS_ENDPOINT_URL": f"http://{host}:{port}"})
        place.dvc("remote", "add", "-q", "--local", "-d", "bucket", f"s3://{BUCKET}/path")
        place.shardsmith("publish", "--all")
        before = set(bucket())
        assert place.shardsmith("withdraw", "v2", "--why", "wrong labels", "--yes").stdout == "sample@v2: withdrawn\n"
        gone = before - set(bucket())
        assert gone and all(key.startswith("path/files/md5/") for key in gone)
        assert b"wrong labels" in bucket()["path/versions/sample@v2.json"].value
        assert "as recorded" in place.shardsmith("verify", "v1", "--remote").stdout
        asked = ("pull", "sample@v2", "--remote", f"s3://{BUCKET}/path", "--out", str(tmp_path / "no"))
        assert "wrong labels" in place.shardsmith(*asked, ok=False).stderr
