"""Thirty mistakes of a first day: what is typed, and what must be said. In one process, so that it is quick."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import image_bytes
from workspaces import Place, make_workspace

from shardsmith.cli.main import GROUPS, make_parser
from shardsmith.dataset.errors import run

ROOT = Path(__file__).parents[1]
VOC = (
    "<annotation><filename>a.jpg</filename><object><name>cat</name><bndbox><xmin>2</xmin><ymin>3</ymin>"
    "<xmax>12</xmax><ymax>13</ymax></bndbox></object></annotation>"
)
# what is typed, exit code, what must be said, why
OUTSIDE = [
    ("buidl", 2, "no command 'buidl'; did you mean build?", "a misspelt command"),
    ("convert my_voc --to coco --spilt 0.7,0.3", 2, "no option --spilt; did you mean --split?", "a misspelt option"),
    ("convert my_voc --ot coco", 2, "usage: shardsmith convert", "usage of the command that was meant"),
    ("convert my_voc", 2, "--to: needed; `shardsmith convert --help` shows", "what was left out"),
    ("check my_voc --fail-on eror", 2, "--fail-on eror: did you mean error? allowed: warning, error", "a choice"),
    ("check my_voc more", 2, "more: one word too many", "an argument more than there are"),
    ("convert my_voc --to yolo", 2, "did you mean ultralytics (labels/*.txt with data.yaml", "two formats, one name"),
    ("convert my_voc --to tfrecords", 2, "no such format; did you mean tfrecord?", "another name of a format"),
    ("convert my_voc --to labelbox", 2, "--to labelbox: is read, not written", "a format that is only read"),
    (
        "convert my_voc --to coco --from marmot",
        2,
        "did you mean panlabel:marmot?",
        "a format that goes through panlabel",
    ),
    ("convert my_voc --to coco --split 70,30", 2, "100 together; the shares must make 1", "percent for shares"),
    ("convert my_voc --to coco --split abc", 2, "for example --split 0.7,0.2,0.1", "no shares at all"),
    ("convert my_voc --to tfod_csv --masks", 2, "tfod_csv carries no masks; those that do: ", "masks for boxes"),
    ("convert my_voc --to coco --name My-Set", 2, "for example --name my_birds", "a name that no file could have"),
    ("convert my_voc --to coco --workers 0", 2, "--workers 0: not a whole number from 1", "no process at all"),
    ("convert my_vok --to coco", 1, "did you mean my_voc? give a folder, .zip", "a path with a slip"),
    ("convert my_voc/a.jpg --to coco", 1, "give the folder it lies in", "an image for a dataset"),
    ("convert notes --to coco", 1, "no annotations found among 1 files (1 .md)", "a folder of something else"),
    ("convert my_voc --to coco --out my_voc", 1, "exists already; name another place with --out", "a taken place"),
    ("check empty", 1, "the folder is empty; put images and annotations there", "a folder without a dataset"),
    ("versions", 1, "make one: shardsmith init DIR", "no workspace here"),
]
INSIDE = [
    ("serve --timezone Europe/Berlin", 2, "--timezone goes with --cron", "half of a pair of options"),
    ("serve --cron daily", 1, "--cron 'daily': not a schedule; five fields", "a word for a schedule"),
    ("serve --cron daily --timezone CET+1", 1, "--timezone CET+1: no time zone; for example", "no such zone"),
    ("build -S augment.copys=3", 1, "augment.copys: unknown key; did you mean copies?", "a misspelt key"),
    ("build -S augment.copies=many", 1, "'many': not a whole number; for example 2", "a word for a number"),
    ("build -S split", 2, "not KEY=VALUE; for example --set augment.copies=3", "a setting without a value"),
    ("pull v1 --format yolo", 2, "--format yolo: no such format; did you mean ultralytics", "as with convert"),
    ("fetch", 2, "name a source, or --images", "a command without its subject"),
    ("fetch ../nothing.zip", 1, "nothing.zip: no such folder or archive", "a path that is not there"),
    ("show v1", 1, "no such version; the versions are: none yet", "a version before the first build"),
    ("show v1 --remote", 2, "--remote goes with --code", "half of a pair of options"),
    ("labels --restart --yes", 1, "no class has an id yet", "to start anew what has not begun"),
    ("build", 1, "pictures of the sample, beside images of your own", "the sample mixed into one's own data"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small set, a folder of something else, and an empty one."""
    folder = tmp_path_factory.mktemp("turns")
    for name in ("my_voc", "notes", "empty"):
        (folder / name).mkdir()
    (folder / "my_voc/a.jpg").write_bytes(image_bytes())
    (folder / "my_voc/a.xml").write_text(VOC)
    (folder / "notes/a.md").write_text("hello")
    return folder


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """One without a version, into whose data the sample was drawn, too."""
    folder = tmp_path_factory.mktemp("inside")
    place = make_workspace(folder / "work", folder / "home")
    from shardsmith.sample.pictures import draw_picture

    picture = draw_picture(("sky", 1))
    (place.root / "data/raw" / picture.name).write_bytes(picture.data)
    return place


def said(typed: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit code, and what is printed."""
    with pytest.raises(SystemExit) as end:
        options = make_parser().parse_args(typed.split())
        run(lambda: options.run(options))
    out, err = capsys.readouterr()
    return int(end.value.code or 0), out + err


@pytest.mark.parametrize(("typed", "code", "words", "why"), OUTSIDE, ids=[row[0] for row in OUTSIDE])
def test_outside_of_a_workspace(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    typed: str, code: int, words: str, why: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(folder)
    before = sorted(folder.rglob("*"))
    answered = said(typed, capsys)
    assert words in answered[1], why
    assert (answered[0], "Traceback" in answered[1], sorted(folder.rglob("*"))) == (code, False, before), why


@pytest.mark.parametrize(("typed", "code", "words", "why"), INSIDE, ids=[row[0] for row in INSIDE])
def test_in_a_workspace(
    workspace: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    typed: str, code: int, words: str, why: str,
) -> None:  # fmt: skip
    for key, value in workspace.env.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr("shardsmith.workspace.environment._QUIET", {})
    monkeypatch.setenv("PREFECT_HOME", str(workspace.root / ".prefect"))
    monkeypatch.chdir(workspace.root)
    answered = said(typed, capsys)
    assert words in answered[1], why
    assert (answered[0], "Traceback" in answered[1], workspace.git("status", "--porcelain", "--", "*.yaml")) == (
        code, False, "",
    ), why  # fmt: skip


@pytest.mark.parametrize(
    "typed", ["build", "preview", "labels", "verify", "fetch --images", "report", "diff v1 workspace"]
)
@pytest.mark.parametrize("file", ["params.yaml", "dvc.lock", "dvc.yaml"])
def test_a_file_that_is_no_utf8(
    workspace: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], file: str, typed: str
) -> None:
    for key, value in workspace.env.items():
        monkeypatch.setenv(key, value)
    monkeypatch.chdir(workspace.root)
    path = workspace.root / file
    before = path.read_bytes() if path.exists() else None
    path.write_bytes((before or b"stages: {}\n") + b"# caf\xe9\n")
    try:
        assert "Traceback" not in said(typed, capsys)[1]
    finally:
        path.write_bytes(before) if before is not None else path.unlink(missing_ok=True)


def test_what_needs_no_data_imports_nothing_slow(workspace: Place) -> None:
    text = (
        "import sys; from shardsmith.cli.main import make_parser\n"
        "options = make_parser().parse_args(sys.argv[1:]); options.run(options)\n"
        "print([name for name in ('numpy', 'pyarrow', 'pydantic', 'dvc', 'prefect') if name in sys.modules])"
    )
    for typed in ("versions", "labels", "findings"):
        assert workspace.run(sys.executable, "-c", text, typed).stdout.splitlines()[-1] == "[]", typed


def test_help_lists_each_command_in_one_group(capsys: pytest.CaptureFixture[str]) -> None:
    commands = next(action for action in make_parser()._actions if action.dest == "==SUPPRESS==").choices
    listed = [name for names in GROUPS.values() for name in names]
    assert sorted(listed) == sorted(commands)
    make_parser().print_help()
    shown = capsys.readouterr().out
    assert all(f"\n{title}:\n" in shown for title in GROUPS)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_commands_and_options(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    options = make_parser().parse_args(["completion", shell])
    assert options.run(options) == 0
    text = capsys.readouterr().out
    assert "convert" in text and ("--verify-remote" in text or "-l verify-remote" in text)
    if program := shutil.which(shell):
        subprocess.run([program, "-n"], input=text, text=True, check=True)
