"""No module of ours can run what data says: a search through their syntax trees."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(path for folder in ("src", "stages", "flows") for path in (ROOT / folder).rglob("*.py"))


def _name(node: ast.AST) -> str:
    """The dotted name of what is called: `subprocess.run`."""
    return f"{_name(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else getattr(node, "id", "")


BANNED_MODULES = {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "yaml", "commands", "pty"}
BANNED_CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "os.execv", "tempfile.mktemp",
                "shutil.unpack_archive", "np.load", "numpy.load", "subprocess.getoutput",
                "asyncio.create_subprocess_shell"}  # fmt: skip
BANNED_METHODS = {"extractall", "unsafe_load", "full_load"}
PROCESSES = {
    "subprocess.run",
    "subprocess.Popen",
    "subprocess.call",
    "subprocess.check_call",
    "subprocess.check_output",
}
XML = {"Element", "ParseError", "SubElement", "tostring"}


def _offences(tree: ast.AST, path: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
            names = {alias.name for alias in node.names}
            tops = {module.partition(".")[0]} if module else {name.partition(".")[0] for name in names}
            if tops & BANNED_MODULES:
                yield f"{path}:{node.lineno}: imports {tops & BANNED_MODULES}"
            if (
                "xml" in tops
                and module != "xml.sax.saxutils"
                and not (module == "xml.etree.ElementTree" and names <= XML)
            ):
                yield f"{path}:{node.lineno}: parses XML without defusedxml"
        if isinstance(node, ast.Call):
            name = _name(node.func)
            keywords = {keyword.arg: keyword.value for keyword in node.keywords}
            filtered = isinstance(at := keywords.get("filter"), ast.Constant) and at.value == "data"
            if name in BANNED_CALLS or (name.rpartition(".")[2] in BANNED_METHODS and not filtered):
                yield f"{path}:{node.lineno}: calls {name}"
            if name == "YAML" and not (isinstance(at := keywords.get("typ"), ast.Constant | None) and
                                       (at is None or at.value in ("safe", "rt"))):  # fmt: skip
                yield f"{path}:{node.lineno}: reads YAML that may name Python objects"
            if name == "YAML" and "typ" in keywords and path != "src/shardsmith/dataset/yaml.py":
                yield f"{path}:{node.lineno}: reads YAML of any size"
            if "shell" in keywords:
                yield f"{path}:{node.lineno}: starts a shell"
            if name in PROCESSES and node.args and isinstance(node.args[0], ast.JoinedStr | ast.Constant | ast.BinOp):
                yield f"{path}:{node.lineno}: a command that is a string"
            if name in ("Image.open", "PilImage.open") and path not in (
                "src/shardsmith/dataset/images.py",
                "src/shardsmith/snippets/texts.py",
            ):
                yield f"{path}:{node.lineno}: opens an image past the limit of its pixels"


def test_no_code_is_run_from_data() -> None:
    """By the syntax trees of our packages; snippets/texts.py holds examples for people's own code."""
    offences = [
        each
        for path in MODULES
        for each in _offences(ast.parse(path.read_text(encoding="utf-8")), path.relative_to(ROOT).as_posix())
    ]
    assert (offences, len(MODULES) > 100) == ([], True)


@pytest.mark.parametrize(
    "code",
    [
        "import pickle", "from marshal import loads", "import yaml", "eval(x)", "os.system('ls')",
        "tape.extractall(folder)",
        "subprocess.run(f'ls {x}')", "subprocess.run(['ls'], shell=True)", "YAML(typ='unsafe')", "YAML(typ='safe')",
        "import xml.dom.minidom",
        "from xml.etree.ElementTree import fromstring", "Image.open(path)",
    ],
)  # fmt: skip
def test_the_search_finds(code: str) -> None:
    assert list(_offences(ast.parse(code), "x.py"))
