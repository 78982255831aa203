"""`--set KEY=VALUE`: change params.yaml for a build, its comments kept, and put it back if the build fails."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from shardsmith.dataset.errors import ParamsError
from shardsmith.dataset.yaml import YamlError, load_yaml
from shardsmith.pipeline.params import parse_params
from shardsmith.workspace.paths import KEPT_PARAMS, PARAMS
from shardsmith.workspace.workspace import Workspace

_NULL = "tag:yaml.org,2002:null"


def parse_settings(pairs: list[str]) -> dict[str, Any]:
    """`["augment.copies=3"]` -> {"augment.copies": 3}; values are YAML.

    Raises:
        ParamsError: not KEY=VALUE, or the value is not YAML.
    """
    settings = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise ParamsError(f"--set {pair}: not KEY=VALUE; for example --set augment.copies=3")
        try:
            settings[key.strip()] = load_yaml(value)
        except YamlError:
            raise ParamsError(f"--set {pair}: the value is not YAML; put quotes around it") from None
    return settings


def with_settings(text: str, settings: Mapping[str, Any], root: Path = Path()) -> str:
    """params.yaml's text with the values set, comments and order kept.

    Raises:
        ParamsError: a key leads nowhere, or the result is not allowed.
    """
    if not settings:
        return text
    yaml = YAML()
    yaml.width, yaml.preserve_quotes = 120, True
    yaml.indent(mapping=2, sequence=4, offset=2)  # as params.yaml is written, so that only the value changes
    yaml.representer.add_representer(type(None), lambda writer, _: writer.represent_scalar(_NULL, "null"))
    try:
        load_yaml(text)
        document = yaml.load(text) or {}
    except (YamlError, TypeError) as error:  # it reads a few things less: a list as a key
        raise ParamsError(f"params.yaml{getattr(error, 'place', '')}: {error}; correct it") from None
    for key, value in settings.items():
        *folders, leaf = key.split(".")
        node = document
        for folder in folders:
            node = node.setdefault(folder, {}) if isinstance(node, dict) else None
            if not isinstance(node, dict):
                raise ParamsError(f"--set {key}: {folder} holds no keys; `params.yaml` shows every key")
        node[leaf] = _in_one_line(value)
    stream = io.StringIO()
    yaml.dump(document, stream)
    parse_params(stream.getvalue(), "--set", root)
    return stream.getvalue()


def _in_one_line(value: Any) -> Any:
    """A mapping or list as `{a: 1}` or `[1, 2]`: as block it would run into the comment beside its key."""
    if not isinstance(value, dict | list):
        return value
    node = CommentedMap(value) if isinstance(value, dict) else CommentedSeq(value)
    node.fa.set_flow_style()
    return node


@contextmanager
def applied(workspace: Workspace, settings: Mapping[str, Any]) -> Iterator[None]:
    """params.yaml with the settings; as it was before, if what runs inside fails, or was killed last time.

    Raises:
        ParamsError: params.yaml or a setting is not allowed.
    """
    path, kept = workspace.root / PARAMS, workspace.root / KEPT_PARAMS
    _undo(path, kept)
    before = path.read_text(encoding="utf-8")
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
        if path.read_text(encoding="utf-8") == (kept / "after.yaml").read_text(encoding="utf-8"):
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
