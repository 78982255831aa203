"""`shardsmith init`: a new workspace with real git and DVC, in which a version can be built."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from workspaces import BIN, Place, make_workspace

from shardsmith.dataset.errors import ParamsError, ShardsmithError, VersionError
from shardsmith.pipeline.params import Params, parse_params
from shardsmith.workspace.template.files import OF_PACKAGE, OF_ROOT
from shardsmith.workspace.template.init import dataset_name, default_params, init

pytestmark = pytest.mark.xdist_group("init")
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A workspace in use: params and a stage of its own, a remote, data, and an edit that is not committed."""
    folder = tmp_path_factory.mktemp("init")
    place = make_workspace(folder / "source", folder / "home")
    place.write("params.yaml", place.read("params.yaml").replace("classes: {} ", "classes: {a: b} "))
    place.write("stages/validate.py", place.read("stages/validate.py") + "# ours\n")
    place.write("data/label_map.pbtxt", "# dataset: sample\n")
    place.write("data/raw.dvc", "outs:\n- path: raw\n")
    place.write("dvc.lock", "schema: '2.0'\n")
    with (place.root / ".dvc/config").open("a") as config:
        config.write("[core]\n    remote = theirs\n")
    place.git("add", "-f", "data/label_map.pbtxt", "data/raw.dvc")
    place.commit("in use")
    place.write("README.md", "edited")
    return place


@pytest.fixture(scope="module")
def made(source: Place) -> Place:
    """A new workspace. Not to be changed."""
    done = Place(source.root.parent, source.env).shardsmith("init", "Wild Birds-2")
    assert "a workspace for the dataset wild_birds_2" in done.stdout
    return Place(source.root.parent / "Wild Birds-2", source.env)


def test_it_has_some_twenty_files_and_no_history_and_no_data(made: Place) -> None:
    files = made.git("ls-files").splitlines()
    assert {*files} == {*OF_ROOT, *OF_PACKAGE, "code.yaml", "requirements.lock", ".dvc/config"}
    assert len(files) <= 22
    assert (made.git("status", "--porcelain"), made.git("rev-list", "--count", "--all")) == ("", "1")
    assert made.git("branch", "--show-current") == "main"
    assert [path.name for path in sorted((made.root / "data").iterdir())] == ["decisions.csv", "raw"]
    assert not (made.root / ".dvc/cache").exists()
    assert "# wild_birds_2" in made.read("README.md")
    assert not list(made.root.parent.glob(".Wild*"))


def test_its_lock_names_shardsmith_and_what_it_needs(made: Place) -> None:
    lines = made.read("requirements.lock").splitlines()
    assert [line for line in lines if line.startswith("shardsmith")]
    assert {"numpy", "pyarrow", "dvc"} <= {line.partition("==")[0] for line in lines}
    assert "pytest" not in made.read("requirements.lock")


def test_from_another_workspace_come_its_stages_and_not_its_data(source: Place) -> None:
    done = Place(source.root.parent, source.env).shardsmith("init", "like_it", "--from", "source")
    assert "1 changed files are taken as they are committed" in done.stderr
    place = Place(source.root.parent / "like_it", source.env)
    assert place.read("stages/validate.py").endswith("# ours\n")
    assert parse_params(place.read("params.yaml")).ingest.classes == {}
    assert not {"dvc.lock", "data/label_map.pbtxt", "data/raw.dvc"} & {*place.git("ls-files").splitlines()}
    assert "theirs" not in place.read(".dvc/config")


def test_it_is_set_up(made: Place) -> None:
    config = made.dvc("config", "--project", "--list").stdout.split()
    assert sorted(config) == ["core.analytics=false", "core.autostage=false", "core.check_update=false"]
    assert parse_params(made.read("params.yaml")).dataset.name == "wild_birds_2"
    assert "renames or merges" in made.read("params.yaml")
    assert parse_params(made.read("params.yaml")).ingest.classes == {}


def test_commit_and_push_without_an_activated_environment_run_the_hooks(made: Place, tmp_path: Path) -> None:
    shutil.copytree(made.root, tmp_path / "w")
    place = Place(tmp_path / "w", made.env | {"PATH": os.pathsep.join(["/usr/local/bin", "/usr/bin", "/bin"])})
    place.write("notes.txt", "x")
    place.commit()
    assert place.git("rev-list", "--count", "HEAD") == "2"
    assert str(BIN) in place.read(".git/hooks/pre-commit")
    place.git("init", "-q", "--bare", str(tmp_path / "origin"))
    place.git("push", "-q", str(tmp_path / "origin"), "HEAD")  # there is no DVC remote


def test_a_version_of_it_is_found_by_dvc_artifacts_and_gto(source: Place, made: Place, tmp_path: Path) -> None:
    place = Place(tmp_path / "w", made.env)
    shutil.copytree(made.root, place.root)
    shutil.copytree(source.root / "data/raw", place.root / "data/raw", dirs_exist_ok=True)
    place.quick_build("v1.2.0")
    assert place.tags() == ["wild_birds_2@v1.2.0"]
    get = ["artifacts", "get", str(place.root), "wild_birds_2", "--out", str(tmp_path / "got")]
    place.dvc(*get, "--rev", "v1.2.0")
    assert (tmp_path / "got/tfrecord/wild_birds_2-train.tfrecord-00000-of-00001").is_file()
    refused = place.dvc(*get, "--rev", "v9.9.9", "--force", ok=False)
    assert refused.returncode != 0
    shown = place.run("gto", "show", "wild_birds_2", "--json").stdout
    assert "v1.2.0" in json.dumps(json.loads(shown))
    assert place.shardsmith("verify").stdout.endswith("wild_birds_2@v1.2.0: as recorded\n")


def test_from_an_address_into_an_empty_folder_under_another_name(source: Place, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    outside = Place(tmp_path, source.env)
    outside.git("init", "-q")
    said = outside.shardsmith("init", "x", "--from", f"file://{source.root}", "--name", "fish").stderr
    assert f"inside {tmp_path}; to make it a part of that one: rm -rf {tmp_path / 'x/.git'}" in said
    assert parse_params((tmp_path / "x/params.yaml").read_text()).dataset.name == "fish"
    assert outside.run("git", "-C", "x", "status", "--porcelain").stdout == ""


@pytest.mark.parametrize(
    ("folder", "origin", "name", "message"),
    [
        ("../full", None, None, "full: holds something already; choose an empty folder"),
        ("inside", None, None, "lies in the workspace"),
        ("../y", None, "No Name", "dataset.name"),
        ("../123", None, None, "no dataset's name can be made of it"),
        ("../y", "../nowhere", None, "give a folder or URL that git can clone"),
        ("../y", "../full", None, "give a folder or URL that git can clone"),
    ],
)
def test_what_is_refused_leaves_nothing(
    source: Place, monkeypatch: pytest.MonkeyPatch, folder: str, origin: str | None, name: str | None, message: str
) -> None:
    monkeypatch.chdir(source.root)
    full = source.root.parent / "full"
    full.mkdir(exist_ok=True)
    (full / "file").write_text("")
    with pytest.raises(ShardsmithError, match=message):
        init(Path(folder), origin, name, print)
    assert not Path("../y").exists()
    assert not list(source.root.parent.glob(".y*"))


@pytest.mark.parametrize(
    ("folder", "name"),
    [("birds", "birds"), ("Wild Birds-2", "wild_birds_2"), ("2024-fish.", "fish"), ("Éclairs", "clairs")],
)
def test_a_name_made_of_a_folder(folder: str, name: str) -> None:
    assert dataset_name(folder) == name


def test_a_folder_that_gives_no_name() -> None:
    with pytest.raises(VersionError, match="give one"):
        dataset_name("2024")


def test_params_get_their_defaults_and_keep_comments_and_steps() -> None:
    text = (
        "dataset: {name: old, annotation_group: heads}\n"
        "split:\n  seed: 5  # why\n  fractions: {train: 1.0, valid: 0.0, test: 0.0}\n"
        "augment:\n  enabled: true\n  steps:\n    - flip: {horizontal: 0.5}\n"
    )
    new = default_params(text, "new")
    assert "seed: 0  # why" in new
    params = parse_params(new)
    assert params.dataset.name == "new"
    assert params.augment.steps == [{"flip": {"horizontal": 0.5}}]
    without = params.model_copy(update={"augment": params.augment.model_copy(update={"steps": []})})
    assert without.model_copy(update={"dataset": Params().dataset}) == Params()


def test_a_name_that_is_not_allowed() -> None:
    with pytest.raises(ParamsError, match=r"dataset\.name"):
        default_params("dataset: {name: old}\n", "Not This")


def test_the_committed_params_stay_as_they_are_but_for_the_name() -> None:
    text = (ROOT / "params.yaml").read_text()
    changed = [line for line in default_params(text, "birds").splitlines() if line not in text.splitlines()]
    assert [line.split("#")[0].strip() for line in changed] == ["name: birds"]
