"""What a source says of the whole dataset: its licence, its authors, where it is from.

Sources: the README.dataset.txt and the `roboflow` block of data.yaml in Roboflow's exports; our own data.yaml.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.yaml import YamlError, load_yaml
from shardsmith.formats.shared.raw_folder import RawFolder

MAIN = ("description", "license", "citation", "homepage")  # those that params.yaml can say
_FURTHER = "see_also"
_README, _YAML = "readme.dataset.txt", ("data.yaml", "data.yml", "dataset.yaml")
_MOST_CHARACTERS = 20_000
_ADDRESS = re.compile(r"https?://\S+")


def merged(facts: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """All facts; where two sources say different things of one, both, in their order. An address stays one."""
    both = dict(facts)
    for fact, text in more.items():
        name = _FURTHER if fact == "homepage" and both.get(fact, text) != text else fact
        known = both.get(name, "")
        if text and text != known and text not in known.split("; "):
            both[name] = f"{known}; {text}" if known else text
    return both


def facts_beside(folder: RawFolder) -> dict[str, str]:
    """What Roboflow's files beside the annotations say; {} where there are none."""
    facts: dict[str, str] = {}
    for file in folder.files:
        name = PurePosixPath(file).name.lower()
        try:
            if name == _README:
                facts = merged(facts, readme_facts(folder.text(file)[:_MOST_CHARACTERS]))
            elif name in _YAML:
                facts = merged(facts, yaml_facts(folder.text(file)))
        except RawDataError:
            continue  # text that is no UTF-8 says nothing
    return facts


def readme_facts(text: str) -> dict[str, str]:
    """Roboflow's README.dataset.txt: `# NAME > VERSION`, an address, `Provided by`, `License:`, then words."""
    facts: dict[str, str] = {}
    words = []
    for number, line in enumerate(text.splitlines()):
        key, _, value = line.strip().partition(":")
        if not number and line.startswith("#"):
            facts["title"] = line.lstrip("# ").strip()
        elif key.lower() in ("license", "licence") and value.strip() and "license" not in facts:
            facts["license"] = value.strip()
        elif line.startswith("Provided by ") and "contributor" not in facts:
            facts["contributor"] = line.removeprefix("Provided by ").strip()
        elif "homepage" not in facts and _ADDRESS.fullmatch(line.strip()):
            facts["homepage"] = line.strip()
        else:
            words.append(line.strip())
    facts["description"] = " ".join(" ".join(words).split())
    return {name: text for name, text in facts.items() if text}


def yaml_facts(text: str) -> dict[str, str]:
    """Its own keys, as they are written here, and the `roboflow` block of data.yaml."""
    try:
        content = load_yaml(text, _MOST_CHARACTERS)
    except YamlError:
        return {}
    if not isinstance(content, dict):
        return {}
    facts = {fact: content[fact] for fact in MAIN if isinstance(content.get(fact), str)}
    block = content.get("roboflow")
    names = {"url": "homepage", "license": "license", "version": "version"}
    said = block if isinstance(block, dict) else {}
    return facts | {fact: str(said[key]) for key, fact in names.items() if isinstance(said.get(key), str | int)}


def chosen(facts: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """The facts of the source, but what params.yaml says of any of MAIN; those come first."""
    every = {**facts, **{name: text for name, text in wanted.items() if text}}
    order = [*(name for name in MAIN if name in every), *(name for name in every if name not in MAIN)]
    return {name: every[name] for name in order}
