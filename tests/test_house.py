"""The house's rules: who may import whom, what dvc.yaml says against what is imported, what the docs say."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from shardsmith.cli.main import make_parser
from shardsmith.formats.registry import READERS, WRITERS

ROOT = Path(__file__).parents[1]
PIPELINE = YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text())["stages"]
MODULES = {
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__"): path
    for top in ("stages", "flows", "tools")
    for path in (ROOT / top).rglob("*.py")
}


def imports(module: str) -> set[str]:
    """What a module imports, as names of our modules or of top-level packages; imports inside functions count."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return {name if name in MODULES else name.split(".")[0] for name in names}


def room(module: str) -> str:
    """`stages.dataset` of stages.dataset.manifest; a stage is a room of its own, flows and tools are one each."""
    return ".".join(module.split(".")[: 2 if module.startswith("stages") else 1])


ALLOWED = {
    "stages.dataset": set(),
    "stages.checks": {"stages.dataset"},
    "stages.formats": {"stages.dataset"},
    "stages.transforms": {"stages.dataset"},
    "stages.params": {"stages.dataset", "stages.formats", "stages.transforms"},
    "stages.described": {"stages.params", "stages.transforms"},
    "stages.page": {"stages.dataset"},
    "tools": {
        *("stages.dataset", "stages.formats", "stages.transforms", "stages.params"),
        *("stages.ingest", "stages.validate", "stages.split"),
    },
    **{
        f"stages.{stage}": {
            *("stages.dataset", "stages.formats", "stages.transforms", "stages.params"),
            *(
                {
                    "validate": ["stages.checks"],
                    "export": ["stages.described"],
                    "report": ["stages.described", "stages.page"],
                }.get(stage, [])
            ),
        }
        for stage in PIPELINE
    },
    "flows": {"stages.dataset", "stages.params", "tools"},
}


@pytest.mark.parametrize("module", [name for name in MODULES if "." in name])
def test_imports_go_downwards_only(module: str) -> None:
    ours = {room(name) for name in imports(module) if name in MODULES and name not in ("stages", "flows", "tools")}
    assert ours - {room(module)} <= ALLOWED[room(module)]


@pytest.mark.parametrize(
    ("package", "rooms"),
    [
        ("albumentations", {"stages.transforms"}),
        ("prefect", {"flows.build", "flows.artifacts", "flows.serve"}),
        ("tensorflow", {"flows.readback"}),
        ("tensorflow_datasets", set()),
        ("dvc", {"flows.stored"}),
    ],
)
def test_a_package_stays_in_its_room(package: str, rooms: set[str]) -> None:
    importing = {module for module in MODULES if package in imports(module)}
    assert {module for module in importing if module not in rooms and room(module) not in rooms} == set()


@pytest.mark.parametrize("stage", PIPELINE)
def test_deps_of_a_stage_are_what_it_imports(stage: str) -> None:
    """stages.params only checks values: what it imports is no dep, and neither is it (see dvc.yaml)."""
    seen, todo = set(), [f"stages.{stage}"]
    while todo:
        module = todo.pop()
        if module not in seen and module not in ("stages", "stages.params"):
            seen.add(module)
            todo += [name for name in imports(module) if name in MODULES]
    needed = {room(module).replace(".", "/") for module in seen}
    expected = {f"{path}.py" if (ROOT / f"{path}.py").exists() else path for path in needed}
    listed = {dep for dep in PIPELINE[stage]["deps"] if dep.startswith("stages")}
    assert listed == expected
    assert "requirements.lock" in PIPELINE[stage]["deps"]


@pytest.mark.parametrize("stage", PIPELINE)
def test_params_that_a_stage_reads_are_recorded(stage: str) -> None:
    """`params.NAME` in a stage's code must stand in its `params` in dvc.yaml, or a change would not re-run it."""
    read = set(
        re.findall(
            r"params\.(dataset|ingest|validate|split|preprocess|augment|export)\b_?",
            MODULES[f"stages.{stage}"].read_text(),
        )
    )
    listed = {name.split(".")[0] for name in PIPELINE[stage]["params"]}
    assert read <= listed


_SLOW = ("tensorflow", "albumentations", "prefect", "dvc")


@pytest.mark.parametrize("stage", PIPELINE)
def test_no_stage_imports_what_is_slow(stage: str) -> None:
    code = f"import sys, stages.{stage}; print([name for name in {_SLOW} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True, cwd=ROOT) == "[]\n"


def test_help_imports_only_the_standard_library() -> None:
    code = "import sys, flows.cli as c; c.make_parser(); print('prefect' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True, cwd=ROOT) == "False\n"


DOCS = sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))


def commands_in(file: str) -> list[str]:
    """Every `shardsmith ...` line of a document's code blocks, and of its inline code."""
    text = (ROOT / file).read_text()
    blocks = re.findall(r"```(?:console|bash|sh)\n(.*?)```", text, re.DOTALL)
    lines = [re.split(r" # | > | && ", line.removeprefix("$ "))[0] for block in blocks for line in block.splitlines()]
    return [
        line.strip() for line in [*lines, *re.findall(r"`(shardsmith [^`]+)`", text)] if line.startswith("shardsmith ")
    ]


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
