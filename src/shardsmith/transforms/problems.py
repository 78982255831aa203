"""What is wrong with a value of params.yaml, in plain words with an example: pydantic's own are for programmers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from shardsmith.dataset.errors import near, suggest

_SAID = {
    "bool_parsing": "write true or false",
    "bool_type": "write true or false",
    "dict_type": "not a mapping",
    "extra_forbidden": "unknown key",
    "finite_number": "not a number",
    "float_parsing": "not a number",
    "float_type": "not a number",
    "greater_than": "allowed: above {gt:g}",
    "greater_than_equal": "allowed: {ge:g} and more",
    "int_from_float": "not a whole number",
    "int_parsing": "not a whole number",
    "int_type": "not a whole number",
    "less_than": "allowed: below {lt:g}",
    "less_than_equal": "allowed: up to {le:g}",
    "list_type": "not a list",
    "missing": "needed",
    "model_type": "not a mapping of keys",
    "string_pattern_mismatch": "does not fit {pattern}",
    "string_too_long": "allowed: up to {max_length} characters",
    "string_too_short": "must not be empty",
    "string_type": "not text; put quotes around it",
    "too_long": "allowed: up to {max_length}",
    "too_short": "needs at least {min_length}",
    "tuple_type": "not a list",
}
_NAMES = {r"^[a-z][a-z0-9_]*$": "allowed: a to z, 0 to 9 and _, a letter first"}
_EXAMPLES = {"dict_type": "{cat: 1}", "list_type": "[train, valid]", r"^[a-z][a-z0-9_]*$": "wild_birds"}


def explain(error: ValidationError, model: type[BaseModel], prefix: str = "") -> list[str]:
    """Each problem as `key: value: what is allowed`."""
    lines = []
    for problem in error.errors(include_url=False):
        location = problem["loc"]
        key = (prefix + ".".join(map(str, location)).replace("validate_", "validate")).rstrip(".")
        value, known = problem["input"], _model_at(model, location[:-1])
        if problem["type"] == "extra_forbidden":
            lines.append(f"{key}: unknown key; {suggest(str(location[-1]), keys(known))}")
        elif problem["type"] == "value_error":
            shown = "" if isinstance(value, dict | BaseModel) else f"{value!r}: "
            lines.append(f"{key}: {shown}{problem['ctx']['error']}")
        else:
            said = plain(problem, _default(known, str(location[-1]) if location else ""))
            lines.append(f"{key}: {said}" if problem["type"] == "missing" else f"{key}: {value!r}: {said}")
    return lines


def plain(problem: Mapping[str, Any], default: Any = None) -> str:
    """One of pydantic's problems in our words.

    Args:
        default: of the key, which serves as the example.
    """
    context, kind = problem.get("ctx", {}), str(problem["type"])
    if kind in ("literal_error", "enum"):
        return _choice(str(problem["input"]), str(context["expected"]))
    text = _SAID.get(kind)
    if text is None:
        return f"{problem['msg'][:1].lower()}{problem['msg'][1:]}"
    pattern = str(context.get("pattern"))
    said = _NAMES.get(pattern) or text.format(**{key: value for key, value in context.items() if key != "error"})
    example = _EXAMPLES.get(pattern) or _EXAMPLES.get(kind) or _as_yaml(default)
    return f"{said}; for example {example}" if example else said


def keys(model: type[BaseModel] | None) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()] if model else []


def _choice(value: str, expected: str) -> str:
    """`expected` is "'drop', 'negative' or 'keep'"."""
    names = [name.strip("'") for name in expected.replace(" or ", ", ").split(", ")]
    return f"{near(value, names)}allowed: {', '.join(names)}"


def _as_yaml(default: Any) -> str:
    if default is None or isinstance(default, BaseModel | str) or default in ([], {}):
        return ""
    return json.dumps(default)


def _default(model: type[BaseModel] | None, key: str) -> Any:
    fields = {field.alias or name: field for name, field in model.model_fields.items()} if model else {}
    return fields[key].default if key in fields and not fields[key].is_required() else None


def _model_at(model: type[BaseModel], location: tuple) -> type[BaseModel] | None:
    for part in location:
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        annotation = fields[part].annotation if part in fields else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return None
        model = annotation
    return model
