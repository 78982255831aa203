"""Shardsmith as a wheel: what is in it, a workspace made by it, and one that moves from a wheel to the next."""

from __future__ import annotations

import os
import re
import shutil
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from zipfile import ZipFile

import pytest
from installed import build, commit_all, copy_of_repository, edit, install, make_environment, outside
from workspaces import Place

from shardsmith.workspace.template.files import OF_PACKAGE, OF_ROOT

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wheels")]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this repository. Not to be changed."""
    return copy_of_repository(tmp_path_factory.mktemp("source") / "shardsmith")


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(source, tmp_path_factory.mktemp("wheel"))


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    make_environment(tmp_path / "venv")
    return tmp_path / "venv"


def test_it_holds_the_package_with_the_template_and_nothing_else(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    assert {re.sub(r"-[^/]*\.dist-info$", ".dist-info", name.split("/")[0]) for name in names} == {
        "shardsmith",
        "shardsmith.dist-info",
    }
    below = "shardsmith/workspace/template/"
    template = {f"{below}files/{file}" for file in OF_ROOT} | {f"{below}own/{file}" for file in OF_PACKAGE.values()}
    assert {name for name in names if name.startswith((f"{below}files/", f"{below}own/"))} == template
    assert {"shardsmith/py.typed", "shardsmith/report/page.css", "shardsmith/report/page.html.jinja"} <= {*names}


def test_the_sdist_gives_the_same_wheel(source: Path, wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(build(source, tmp_path / "sdist", "sdist")) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.glob("shardsmith-*")
    again = build(unpacked, tmp_path / "wheel")
    assert (again.name, again.read_bytes()) == (wheel.name, wheel.read_bytes())


def test_a_workspace_from_a_wheel(wheel: Path, environment: Path, tmp_path: Path) -> None:
    install(environment, wheel)
    place = outside(tmp_path, environment)
    done = place.run("shardsmith", "init", "x")
    assert f"shardsmith was installed from {wheel.as_uri()}: others cannot install that line" in done.stderr
    place = Place(place.root / "x", place.env)
    assert place.read("requirements.lock").splitlines()[1] == f"shardsmith @ {wheel.as_uri()}"
    assert place.git("status", "--porcelain") == ""


def test_a_workspace_from_a_git_address(source: Path, environment: Path, tmp_path: Path) -> None:
    commit = Place(source, {**os.environ}).git("rev-parse", "HEAD")
    install(environment, f"git+{source.as_uri()}")
    place = outside(tmp_path, environment)
    place.run("shardsmith", "init", "x")
    place = Place(place.root / "x", place.env)
    assert place.read("requirements.lock").splitlines()[1] == f"shardsmith @ git+{source.as_uri()}@{commit}"
    assert f"+g{commit[:9]}" in place.read("code.yaml")
    assert len(place.git("ls-files").splitlines()) <= 22


# --- from one wheel to the next


@dataclass
class Story:
    """What was seen on the way.

    wheels: the two. files: how many git tracked after a step. said: what a command printed. ran: the stages that the
    second build ran. copies: names of the kept images after each build.
    """

    wheels: list[Path]
    files: dict[str, int] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    copies: list[set[str]] = field(default_factory=list)


STAGES = ("ingest", "validate", "split", "preprocess", "augment", "export", "report")
STEPS = re.compile(r"(augment:(?:.*\n)*?)    - flip.*\n.*\n.*\n")


@pytest.fixture(scope="module")
def story(source: Path, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A workspace of one wheel, with a version, and a stage that its user changes, moves to the next wheel."""
    folder = tmp_path_factory.mktemp("story")
    story = Story([wheel, next_wheel(source, folder)])
    make_environment(folder / "venv")
    install(folder / "venv", wheel)
    place = outside(folder / "user", folder / "venv")
    place.run("shardsmith", "init", "raccoon")
    place = Place(place.root / "raccoon", place.env | installers(folder))
    story.files["init"] = len(place.git("ls-files").splitlines())

    for number in range(10):
        place.add_image(f"{number:02}", "raccoon", number)
    text = STEPS.sub(r"\1    - blur: {}\n", place.read("params.yaml"))
    place.write("params.yaml", re.sub(r"(augment:.*\n  enabled: )false", r"\1true", text))
    place.run("shardsmith", "build", "--name", "v1")
    story.files["build"] = len(place.git("ls-files").splitlines())
    story.copies.append(kept_images(place))

    install(folder / "venv", story.wheels[1])
    place.write("stages/validate.py", place.read("stages/validate.py") + "# a line of mine\n")
    before = written(place)
    refused = place.run("python", "-m", "dvc", "repro", ok=False)
    assert refused.returncode
    story.said["repro"] = refused.stderr
    place.run("python", "-m", "dvc", "checkout")
    assert written(place) == before

    place.commit("A line of mine")
    story.said["upgrade"] = place.run("shardsmith", "upgrade").stdout
    place.commit("The next shardsmith")
    before = times(place)
    story.said["build"] = place.run("shardsmith", "build", "--name", "v2").stderr
    story.ran = [stage for stage, time in times(place).items() if time != before[stage]]
    story.copies.append(kept_images(place))
    assert place.run("shardsmith", "build").stdout.startswith("nothing changed since raccoon@v2")

    try:
        done = place.run("shardsmith", "verify", "v1", "--rebuild", timeout=1800)
    finally:
        shutil.rmtree(folder / "cache", ignore_errors=True)  # 3 GB
    story.said["rebuild"] = done.stderr + done.stdout
    return story


def next_wheel(source: Path, folder: Path) -> Path:
    """Of another version, with another blur and another file in the template."""
    changed = shutil.copytree(source, folder / "next")
    edit(changed / "hatch_build.py", 'BASE = "', 'BASE = "1')
    edit(changed / "src/shardsmith/transforms/steps/blur.py", "(0, 0), sigma,", "(0, 0), 2 * sigma,")
    edit(changed / "prefect.yaml", "# ", "# This is new. ")
    commit_all(changed)
    return build(changed, folder / "wheel")


def installers(folder: Path) -> dict[str, str]:
    """The environment goes to a folder of the test; what uv and pip have fetched before, they need not fetch again."""
    own = Path.home() / ".cache"
    return {
        "XDG_CACHE_HOME": str(folder / "cache"),
        "UV_CACHE_DIR": str(own / "uv"),
        "PIP_CACHE_DIR": str(own / "pip"),
        "UV_PYTHON_DOWNLOADS": "never",
    }


def kept_images(place: Place) -> set[str]:
    folder = place.root / "data/augment/images"
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def written(place: Place) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in (place.root / "data").rglob("*") if path.is_file()}


def times(place: Place) -> dict[str, float]:
    """Stage -> when it last wrote."""
    return {
        stage: max(path.stat().st_mtime_ns for path in (place.root / "data" / stage).rglob("*")) for stage in STAGES
    }


@pytest.mark.long
def test_a_workspace_is_some_twenty_files(story: Story) -> None:
    assert story.files["init"] <= 22
    assert story.files["build"] <= 30


@pytest.mark.long
def test_other_code_is_refused_before_anything_is_rebuilt(story: Story) -> None:
    (line,) = [line for line in story.said["repro"].splitlines() if line.startswith("error: ")]
    assert line.startswith("error: code.yaml: preprocess, augment, export, report: made with other code (shardsmith ")
    assert "so nothing was rebuilt" in line
    assert f"pip install 'shardsmith @ {story.wheels[0].as_uri()}'" in line
    assert "`shardsmith upgrade`" in line
    assert "`dvc checkout`" in line
    assert "Traceback" not in story.said["repro"]


@pytest.mark.long
def test_an_upgrade_keeps_and_shows_what_the_user_changed(story: Story) -> None:
    lines = story.said["upgrade"].splitlines()
    assert "prefect.yaml: replaced by the new one" in lines
    assert "stages/validate.py: left as you have it; no newer one" in lines
    assert lines[-1].startswith("at shardsmith 1")


@pytest.mark.long
def test_only_what_changed_runs_again(story: Story) -> None:
    assert story.ran == ["validate", "preprocess", "augment", "export", "report"]
    assert ", 0 reused" in story.said["build"]
    assert story.copies[0]
    assert not story.copies[0] & story.copies[1]


@pytest.mark.long
def test_the_first_version_is_rebuilt_with_its_own_wheel(story: Story) -> None:
    said = story.said["rebuild"]
    assert re.search(r"^making the environment of raccoon@v1: \d+ packages$", said, re.MULTILINE)
    assert "ok: rebuild: data/export, label map, splits and metrics came out byte for byte the same" in said
    assert "raccoon@v1: as recorded" in said
