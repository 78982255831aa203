"""Things that belong together because links join them, and how the manifest's `group` says so for images."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

Node = TypeVar("Node", bound=Hashable)

_PREFIX = "near-identical "
# NAME_ext.rf.HASH.ext: the name of the picture that was uploaded, and of which version of it the file is
_ROBOFLOW = re.compile(r"(?:.*/)?([^/]+_[A-Za-z]{3,4})\.rf\.[0-9A-Za-z]{8,}\.[A-Za-z]{3,4}")


def cluster_group(digests: Iterable[str]) -> str:
    """The group of near-identical images, by the sha256 of each: no name that a source or a pattern gives."""
    return _PREFIX + min(digests)[:16]


def is_cluster_group(group: str | None) -> bool:
    return bool(group) and str(group).startswith(_PREFIX)


def roboflow_source(image_id: str) -> str | None:
    """The picture that a file of Roboflow's export is a version of: "cat_jpg" of "train/images/cat_jpg.rf.0f3a....jpg".

    The folder does not count: a new export of the same pictures may have them in other folders, and no two uploads have
    one name.
    """
    found = _ROBOFLOW.fullmatch(image_id)
    return found[1] if found else None


class Links(Generic[Node]):
    """A disjoint-set forest: what is joined, directly or through others, has one root."""

    def __init__(self) -> None:
        self._parents: dict[Node, Node] = {}

    def root(self, node: Node) -> Node:
        parents = self._parents
        parents.setdefault(node, node)
        while parents[node] != node:
            parents[node] = node = parents[parents[node]]
        return node

    def join(self, one: Node, other: Node) -> None:
        self._parents[self.root(one)] = self.root(other)

    def clusters(self) -> list[list[Node]]:
        """The nodes that are joined to others, in the order in which they were first named."""
        members: dict[Node, list[Node]] = defaultdict(list)
        for node in list(self._parents):
            members[self.root(node)].append(node)
        return [together for together in members.values() if len(together) > 1]
