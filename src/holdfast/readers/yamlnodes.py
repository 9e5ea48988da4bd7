"""YAML as nodes with places, merge keys and anchors resolved, within bounds. Knows no format."""

from __future__ import annotations

import re
from typing import Any, TypeAlias

import yaml

from holdfast.model.errors import BadInput
from holdfast.readers.said import Said
from holdfast.readers.text import Text

Node: TypeAlias = yaml.Node
Pairs: TypeAlias = dict[str, tuple[yaml.ScalarNode, Node]]
DEEPEST_FLOW = 200
"""So many brackets may be open."""
DEEPEST_BLOCK = 1_000
"""So far right may a block begin: one that is nested begins further right than what it is in."""


class _Untagged:
    """Nodes without tags, a third less work: what a scalar is, its reader says and not YAML."""

    def resolve(self, *_: object) -> str:
        """No tag, whatever the node is."""
        return ""

    def descend_resolver(self, *_: object) -> None:
        """Nothing depends on where a node is."""

    def ascend_resolver(self) -> None:
        """Nothing depends on where a node was."""


_LOADER: Any = type("_LOADER", (_Untagged, getattr(yaml, "CBaseLoader", yaml.BaseLoader)), {})
"""libyaml's where PyYAML was built with it, as its wheels are."""


class Yaml:
    """One document: its root, and look-ups that follow merge keys once each."""

    def __init__(self, text: Text, root: Node | None) -> None:
        self.text, self.root = text, root
        self._pairs: dict[int, Pairs] = {}

    def pairs(self, node: Node | None) -> Pairs:
        """A mapping by its keys, each with its key's node; what is merged is hidden by its own."""
        if not isinstance(node, yaml.MappingNode):
            return {}
        known = self._pairs.get(id(node))
        if known is not None:
            return known
        self._pairs[id(node)] = own = {}  # a mapping that merges itself finds nothing more
        merged: Pairs = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value == "<<":
                for each in _sequence(value) if isinstance(value, yaml.SequenceNode) else [value]:
                    merged = {**self.pairs(each), **merged}
            else:
                own[key.value] = (key, value)
        own.update({key: pair for key, pair in merged.items() if key not in own})
        return own

    def get(self, node: Node | None, *keys: str) -> Node | None:
        """What stands under a key of a key of a mapping, or None."""
        for key in keys:
            found = self.pairs(node).get(key)
            if found is None:
                return None
            node = found[1]
        return node

    def said(self, node: Node | None) -> Said | None:
        """A scalar with its place; None for what is none, or says nothing."""
        if not isinstance(node, yaml.ScalarNode) or node.start_mark.index >= node.end_mark.index:
            return None
        start, end = node.start_mark.index, node.end_mark.index
        return _aligned(self.text, node, start, end)

    def items(self, node: Node | None) -> list[Said]:
        """The scalars of a sequence."""
        found = (self.said(each) for each in _sequence(node))
        return [said for said in found if said is not None]


def _sequence(node: Node | None) -> list[Node]:
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _aligned(text: Text, node: yaml.ScalarNode, start: int, end: int) -> Said:
    """The scalar's characters where they stand; of folded ones each where its line has it."""
    raw, means = text.said[start:end], node.value
    if raw == means or (node.style in ("'", '"') and raw[1:-1] == means):
        return Said.meant(text, start, end, means)
    if node.style == '"' and "\\" in raw:
        return Said(text, means, None, (start, end))
    cursor = start
    if node.style in ("|", ">"):
        cursor = text.said.find("\n", start, end)
    at: list[int] = []
    for char in means:
        where = cursor if char in " \n" else text.said.find(char, cursor, end)
        if where < 0 or where >= end:
            return Said(text, means, None, (start, end))
        at.append(where)
        cursor = where + (char != "\n" or text.said[where] == "\n")
    solid = [where for where, char in zip(at, means, strict=True) if char > " "]
    first, last = (solid[0], solid[-1]) if solid else (start, end - 1)
    return Said(text, means, at, (first, last + 1))


def compose(text: Text) -> Yaml:
    """The first document of a text; raises BadInput where it is no YAML."""
    try:
        _shallow(text)
        loader = _LOADER(text.said)
        try:
            root = loader.get_node() if loader.check_node() else None
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError, RecursionError, UnicodeError) as wrong:
        mark = getattr(wrong, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        what = getattr(wrong, "problem", None) or str(wrong).split("\n")[0]
        raise BadInput(f"no YAML{line}: {what}", place=text.name) from None
    return Yaml(text, root)


def _shallow(text: Text) -> None:
    """Refuse what nests deeper than anybody writes: the parser would take it onto its stack.

    Where there are few brackets, and no line is long, there is nothing to look for.
    """
    depth, said = 0, text.said
    few = said.count("[") + said.count("{") <= DEEPEST_FLOW
    for found in () if few else re.finditer(r"[\[\]{}]", said):
        depth = depth + 1 if found[0] in "[{" else max(0, depth - 1)
        if depth > DEEPEST_FLOW:
            raise ValueError("nested too deep")
    long = [line for line in said.split("\n") if len(line) > DEEPEST_BLOCK]
    for line in long:
        if any(len(found[0]) > DEEPEST_BLOCK for found in re.finditer(r"[ \t?:-]+", line)):
            raise ValueError("nested too deep")
