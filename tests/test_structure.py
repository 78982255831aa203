"""The rules of the structure that no linter holds: what a stage depends on, what is imported where, how long files are.

The layers are held by import-linter (`make lint`).
"""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from docs_commands import DOCS, commands_in
from ruamel.yaml import YAML

from shardsmith.cli.main import make_parser
from shardsmith.formats.registry import READERS, WRITERS
from shardsmith.pipeline import code
from shardsmith.pipeline.params import parse_params
from shardsmith.workspace.template.files import OF_PACKAGE, OF_ROOT

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
PIPELINE = YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text())["stages"]
MODULES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in (SOURCE / "shardsmith").rglob("*.py")
} | {f"{path.parent.name}.{path.stem}": path for top in ("stages", "flows") for path in (ROOT / top).glob("*.py")}


def imports(module: str) -> set[str]:
    """What a module imports, as names of our modules or of top-level packages; imports inside functions count."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return {name if name in MODULES else name.split(".")[0] for name in names}


@pytest.mark.parametrize(
    ("package", "places"),
    [
        ("albumentations", ("shardsmith.transforms.albumentations",)),
        ("prefect", ("shardsmith.flow", "flows")),
        ("tensorflow", ("shardsmith.proof.readback", "shardsmith.download.reader")),
        ("tensorflow_datasets", ()),
        ("dvc", ("shardsmith.store.stores", "shardsmith.workspace.dvc", "shardsmith.workspace.lock_file")),
        ("cv2", ("shardsmith.transforms",)),
    ],
)
def test_a_package_is_imported_in_one_place(package: str, places: tuple[str, ...]) -> None:
    importing = {module for module in MODULES if package in imports(module)}
    assert {module for module in importing if not module.startswith(places or "nowhere")} == set()


def folder_sizes() -> dict[Path, int]:
    folders = {path.parent for path in (SOURCE / "shardsmith").rglob("*.py")}
    return {folder: len([path for path in folder.glob("*.py") if path.stem != "__init__"]) for folder in folders}


def test_no_folder_has_more_than_12_modules() -> None:
    assert {folder.name: count for folder, count in folder_sizes().items() if count > 12} == {}


@pytest.mark.parametrize(("top", "most"), [("src", 300), ("tests", 500), ("stages", 60), ("flows", 150)])
def test_no_file_is_too_long(top: str, most: int) -> None:
    lengths = {str(path): len(path.read_text().splitlines()) for path in (ROOT / top).rglob("*.py")}
    assert {path: length for path, length in lengths.items() if length > most} == {}


def reached(module: str) -> set[str]:
    """The modules that a module imports, and those that these import; see _NOT_OF_A_STAGE."""
    seen: set[str] = set()
    todo = [module]
    while todo:
        name = todo.pop()
        if name in seen or name in _NOT_OF_A_STAGE or name not in MODULES:
            continue
        seen.add(name)
        todo += imports(name)
    return seen


_NOT_OF_A_STAGE = {  # params.py only says yes or no, installation.py what to install
    "shardsmith",
    "shardsmith.installation",
    "shardsmith.pipeline.params",
    "shardsmith.pipeline.program",
    "shardsmith.pipeline.code",
}


@pytest.mark.parametrize("stage", PIPELINE)
def test_the_digest_of_a_stage_covers_what_it_imports(stage: str) -> None:
    covered = {name.removesuffix(".py") for name in code.modules_of(stage) if name.endswith(".py")}
    needed = {
        MODULES[name].relative_to(SOURCE / "shardsmith").with_suffix("").as_posix()
        for name in reached(f"stages.{stage}")
        if name.startswith("shardsmith.") and MODULES[name].stem != "__init__"
    }
    assert needed - covered == set()
    folders = {place for place in code.STAGES[stage] if not place.endswith(".py")}
    assert {folder for folder in folders if not any(name.startswith(f"{folder}/") for name in needed)} == set()


@pytest.mark.parametrize("stage", PIPELINE)
def test_a_stage_depends_on_its_program_and_on_its_code(stage: str) -> None:
    assert f"stages/{stage}.py" in PIPELINE[stage]["deps"]
    assert {"code.yaml": [f"stages.{stage}"]} in PIPELINE[stage]["params"]
    assert list(PIPELINE) == list(code.STAGES)


def test_a_clone_is_rebuilt_by_dvc_repro_alone() -> None:
    """code.yaml stands in git and is of this code: run `shardsmith pin` after a change of it."""
    recorded = YAML(typ="safe", pure=True).load((ROOT / "code.yaml").read_text())
    assert code.changed_stages(recorded, parse_params((ROOT / "params.yaml").read_text())) == []


@pytest.mark.parametrize("stage", PIPELINE)
def test_params_that_a_stage_reads_are_recorded(stage: str) -> None:
    """`params.NAME` in a stage's code must stand in its `params` in dvc.yaml, or a change would not re-run it."""
    own = [ROOT / "stages" / f"{stage}.py", *(SOURCE / "shardsmith/pipeline").rglob(f"{stage}.py")]
    read = {
        name
        for path in own
        for name in re.findall(
            r"params\.(dataset|ingest|validate|split|preprocess|augment|export)_?\b", path.read_text()
        )
    }
    listed = {name.split(".")[0] for name in PIPELINE[stage]["params"] if isinstance(name, str)}
    assert read
    assert read <= listed


_SLOW = ("tensorflow", "albumentations", "prefect", "dvc")


@pytest.mark.parametrize("stage", PIPELINE)
def test_no_stage_imports_what_is_slow(stage: str) -> None:
    text = f"import sys, stages.{stage}; print([name for name in {_SLOW} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", text], text=True, cwd=ROOT) == "[]\n"


def test_help_imports_only_the_standard_library() -> None:
    text = "import sys, shardsmith.cli.main as c; c.make_parser(); print({'prefect', 'numpy', 'tqdm'} & {*sys.modules})"
    assert subprocess.check_output([sys.executable, "-c", text], text=True, cwd=ROOT) == "set()\n"


def test_nothing_below_the_commands_asks_where_it_stands() -> None:
    asking = r"os\.chdir|Workspace\.find\(\)|Path\.cwd\(\)"
    found = {name for name, path in MODULES.items() if re.search(asking, path.read_text())}
    allowed = ("shardsmith.cli", "flows.build", "shardsmith.pipeline.program", "shardsmith.workspace.workspace")
    assert {name for name in found if not name.startswith(allowed)} == set()


def test_the_wheel_carries_the_files_of_a_workspace() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    packed = re.findall(r'^"(.+)" = "shardsmith/workspace/template/files/\1"$', text, re.MULTILINE)
    assert packed == list(OF_ROOT)
    assert {path.name for path in (SOURCE / "shardsmith/workspace/template/own").iterdir()} == {*OF_PACKAGE.values()}


@pytest.mark.parametrize("file", ["README.md", "CONTRIBUTING.md", "params.yaml", "examples/README.md", *DOCS])
def test_commands_in_the_docs_are_commands_of_the_cli(file: str) -> None:
    for command in commands_in(file):
        arguments = shlex.split(re.sub(r"\.\.\.|\[|\]", "", command))[1:]
        try:
            make_parser().parse_args(arguments)
        except SystemExit as end:
            pytest.fail(f"{file}: {command}") if end.code else None


def test_make_help_lists_every_target() -> None:
    listed = subprocess.check_output(["make", "help"], text=True, cwd=ROOT)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = re.findall(r"^  make ([a-z-]+) ", listed, re.MULTILINE)
    assert set(shown) == targets


@pytest.mark.parametrize(("key", "names"), [("ingest:", READERS), ("export:", WRITERS)])
def test_params_yaml_names_every_format(key: str, names: dict) -> None:
    block = (ROOT / "params.yaml").read_text().partition(f"\n{key}")[2].partition("\n\n")[0]
    assert all(name in block for name in names)
