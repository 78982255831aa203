"""`--set KEY=VALUE`: change params.yaml for a build, its comments kept, and put it back if the build fails."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.representer import RoundTripRepresenter

from shardsmith.dataset.errors import ParamsError, UsageError
from shardsmith.dataset.yaml import YamlError, load_yaml
from shardsmith.pipeline.params import parse_params
from shardsmith.workspace.paths import KEPT_PARAMS, PARAMS
from shardsmith.workspace.workspace import Workspace

_NULL = "tag:yaml.org,2002:null"
_COMMENT = re.compile(r"\s+#\s.*$")


class _Representer(RoundTripRepresenter):
    """With `null` for None; ruamel.yaml's own leaves it out."""


_Representer.add_representer(type(None), lambda writer, _: writer.represent_scalar(_NULL, "null"))


def parse_settings(pairs: list[str]) -> dict[str, Any]:
    """`["augment.copies=3"]` -> {"augment.copies": 3}; values are YAML.

    Raises:
        UsageError: not KEY=VALUE, or the value is not YAML.
    """
    settings = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"--set {pair}: not KEY=VALUE; for example --set augment.copies=3")
        try:
            settings[key.strip()] = load_yaml(value)
        except YamlError:
            raise UsageError(f"--set {pair}: the value is not YAML; put quotes around it") from None
    return settings


def with_settings(text: str, settings: Mapping[str, Any], root: Path = Path()) -> str:
    """params.yaml's text with the values set, comments and order kept.

    Raises:
        ParamsError: a key leads nowhere, or the result is not allowed.
    """
    for key, value in settings.items():
        text = _with_setting(text, key, value)
    if settings:
        parse_params(text, "--set", root)
    return text


def _with_setting(text: str, key: str, value: Any) -> str:
    yaml = _yaml()
    try:
        load_yaml(text)
        document = yaml.load(text) or {}
    except (YamlError, TypeError) as error:  # it reads a few things less: a list as a key
        raise ParamsError(f"params.yaml{getattr(error, 'place', '')}: {error}; correct it") from None
    *folders, leaf = key.split(".")
    node = document
    for folder in folders:
        node = node.setdefault(folder, {}) if isinstance(node, dict) else None
        if not isinstance(node, dict):
            raise ParamsError(f"--set {key}: {folder} holds no keys; `params.yaml` shows every key")
    if isinstance(value, dict | list) and _is_block(node.get(leaf)):
        line, column = node.lc.key(leaf)  # type: ignore[union-attr]
        return _with_block(text, line, column, value)
    node[leaf] = _in_one_line(value)
    return _dumped(yaml, document)


def _yaml() -> YAML:
    yaml = YAML()
    yaml.Representer = _Representer
    yaml.width, yaml.preserve_quotes = 120, True
    yaml.indent(mapping=2, sequence=4, offset=2)  # as params.yaml is written, so that only the value changes
    return yaml


def _dumped(yaml: YAML, value: Any) -> str:
    stream = io.StringIO()
    yaml.dump(value, stream)
    return stream.getvalue()


def _in_one_line(value: Any) -> Any:
    """A mapping or list as `{a: 1}` or `[1, 2]`: as block it would run into the comment beside its key."""
    if not isinstance(value, dict | list):
        return value
    node = CommentedMap(value) if isinstance(value, dict) else CommentedSeq(value)
    node.fa.set_flow_style()
    return node


def _is_block(node: Any) -> bool:
    return isinstance(node, CommentedMap | CommentedSeq) and bool(node) and not node.fa.flow_style()


def _with_block(text: str, line: int, column: int, value: dict | list) -> str:
    """The lines below a key replaced; each comment stays, with the item it was beside where that is there still."""
    lines = text.split("\n")
    end = line + 1
    for number in range(line + 1, len(lines)):
        there = lines[number].strip()
        deeper = len(lines[number]) - len(lines[number].lstrip()) > column
        if there and not deeper and not lines[number].startswith(" " * column + "- "):
            break
        end = number + 1 if there else end
    head, comments, loose = lines[line], *_comments(lines[line + 1 : end])
    items = [" " * column + one for one in _dumped(_yaml(), {"key": _one_level(value)}).splitlines()[1:]]
    if not value:
        empty = ": []" if isinstance(value, list) else ": {}"
        head, items = re.sub(r":( {3})?", empty, head, count=1), []
    below = []
    for item in items:
        first, *more = comments.pop(_name_of(item), [""])
        below += [item + first, *more]
    kept = [
        f"{' ' * (column + 2)}# {name.removeprefix('- ')}: {comment.strip(' #')}"
        for name, some in comments.items()
        for comment in some
    ]
    return "\n".join([*lines[:line], head, *loose, *below, *kept, *lines[end:]])


def _comments(lines: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    """({item: the comment beside it, and the lines of comment below}, the lines of comment before any item)."""
    found: dict[str, list[str]] = {}
    loose: list[str] = []
    below = loose
    for line in lines:
        if line.lstrip().startswith("#"):
            below.append(line)
        elif beside := _COMMENT.search(line):
            below = found.setdefault(_name_of(line), [])
            below.append(beside[0])
    return found, loose


def _name_of(item: str) -> str:
    return item.partition(":")[0].strip()


def _one_level(value: dict | list) -> Any:
    """As params.yaml is written: an item a line, and what is in it in one line."""
    if isinstance(value, dict):
        return CommentedMap({key: _in_one_line(one) for key, one in value.items()})
    return CommentedSeq(
        CommentedMap({key: _in_one_line(inner) for key, inner in one.items()}) if isinstance(one, dict) else one
        for one in value
    )


@contextmanager
def applied(workspace: Workspace, settings: Mapping[str, Any]) -> Iterator[None]:
    """params.yaml with the settings; as it was before, if what runs inside fails, or was killed last time.

    Raises:
        ParamsError: params.yaml or a setting is not allowed.
    """
    path, kept = workspace.root / PARAMS, workspace.root / KEPT_PARAMS
    _undo(path, kept)
    before = workspace.params_text()
    after = with_settings(before, settings, workspace.root)
    parse_params(after, PARAMS, workspace.root)
    if after == before:
        yield
        return
    kept.mkdir(parents=True, exist_ok=True)
    (kept / "after.yaml").write_text(after, encoding="utf-8")
    _replace(kept / "before.yaml", before)
    _replace(path, after)
    try:
        yield
    except BaseException:
        _undo(path, kept)
        raise
    _forget(kept)


def _undo(path: Path, kept: Path) -> None:
    """Put params.yaml back, unless somebody changed it since."""
    if (kept / "before.yaml").exists():
        if path.read_bytes() == (kept / "after.yaml").read_bytes():
            _replace(path, (kept / "before.yaml").read_text(encoding="utf-8"))
        _forget(kept)


def _replace(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def _forget(kept: Path) -> None:
    for name in ("before.yaml", "after.yaml"):
        with suppress(FileNotFoundError):
            (kept / name).unlink()
