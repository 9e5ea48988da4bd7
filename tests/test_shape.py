"""The house as rules over its own text: sizes, arrows between rooms, who prints, what says its law.

Reads files and never imports them. No rule has exemptions; each is shown bad examples to catch.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
TOPS = ("src", "tests", "examples", "bench", "scripts", ".ci", "docs", "changes")
TEXTS = {".py", ".md", ".toml", ".txt", ".json", ".html", ".case", ".conf", ""}
FILE_LINES, FUNCTION_LINES, SCRIPT_LINES, LAW_CHARACTERS = 400, 60, 20, 40

# What each room may import: rooms, or single modules of them. No room exists that is not here.
ARROWS = {
    "__init__": (),
    "__main__": ("cli",),
    "model": (),
    "wire": (),
    "facts": (),
    "programs": ("model",),
    "readers": ("model",),
    "sizing": ("model", "programs", "facts"),
    "checks": ("model", "programs", "sizing"),
    "policy": ("model",),
    "writers": ("model",),
    "observe": ("model",),
    "worker": ("wire",),
    "stack": ("wire", "policy", "model", "writers"),
    "load": ("model.units", "model.errors"),
    "proof": ("__init__", "load", "wire", "model", "observe"),
    "kit": ("wire", "model.units"),
    "testing": ("model", "wire", "readers"),
    "cli": (
        *("__init__", "model", "wire", "facts", "programs", "sizing", "readers"),
        *("checks", "policy", "observe", "writers", "stack", "load", "proof"),
    ),
}
PURE = {
    "model",
    "programs",
    "sizing",
    "checks",
    "policy",
    "readers",
    "writers",
}  # no process, clock, socket or disk
WORLD = {
    *("asyncio", "ctypes", "datetime", "fcntl", "glob", "mmap", "multiprocessing", "os", "pathlib"),
    *("random", "resource", "select", "selectors", "shutil", "signal", "socket", "subprocess"),
    *("sys", "tempfile", "threading", "time"),
}
TERMINAL = {"click", "rich"}


class File(NamedTuple):
    """One file: where it lies under the root, with slashes, and what it says."""

    path: str
    text: str

    @property
    def room(self) -> str | None:
        """The room of a file of the package, None for every other file."""
        package, _, inside = self.path.partition("src/holdfast/")
        return inside.split("/")[0].removesuffix(".py") if inside and not package else None

    @property
    def may_exit(self) -> bool:
        return self.room == "cli" or self.path.endswith("/__main__.py")


@cache
def tree(text: str) -> ast.Module:
    return ast.parse(text)


@cache
def nodes(text: str) -> list[ast.AST]:
    return list(ast.walk(tree(text)))


def functions(file: File) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in nodes(file.text):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def imports(file: File) -> Iterator[tuple[int, str]]:
    """Yield the line and the absolute dotted name of everything that is imported, at any depth."""
    package = file.path.removeprefix("src/").split("/")[:-1]
    for node in nodes(file.text):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*start, node.module] if node.module else start)
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def calls(file: File) -> Iterator[tuple[int, str]]:
    """Yield the line and the dotted name of each call, such as `sys.stdout.write`."""
    for node in nodes(file.text):
        if isinstance(node, ast.Call):
            yield node.lineno, ast.unparse(node.func)


def sizes(file: File) -> Iterator[str]:
    """Keep a file of code under 400 lines, a function under 60, a script at 20 or fewer."""
    lines = file.text.count("\n")
    if file.path.startswith("scripts/") and lines > SCRIPT_LINES:
        yield f"has {lines} lines; a script has at most {SCRIPT_LINES}"
    if not file.path.endswith(".py"):
        return
    if lines >= FILE_LINES:
        yield f"has {lines} lines; a file of code stays under {FILE_LINES}"
    for node in functions(file):
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        if length >= FUNCTION_LINES:
            yield f"line {node.lineno}: `{node.name}` has {length} lines, of under {FUNCTION_LINES}"


def arrows(file: File) -> Iterator[str]:
    """Let a room import what the table allows, wherever in a file the import stands."""
    if file.room is None:
        return
    if file.room not in ARROWS:
        yield f"`{file.room}` is no room of the house"
        return
    for line, name in imports(file):
        package, _, inside = name.partition(".")
        room = inside.split(".")[0]
        if package != "holdfast" or room == file.room:
            continue
        if room not in ARROWS:  # the package itself, or a name of its own such as `__version__`
            inside = "__init__"
        if not any(f"{inside}.".startswith(f"{to}.") for to in ARROWS[file.room]):
            yield f"line {line}: `{file.room}` must not import `{name}`"


def purity(file: File) -> Iterator[str]:
    """Keep the rooms that only compute away from processes, clocks, sockets and the disk."""
    if file.room not in PURE:
        return
    for line, name in imports(file):
        if name.split(".")[0] in WORLD:
            yield f"line {line}: `{file.room}` is pure and must not import `{name}`"
    for line, name in calls(file):
        if name == "open":
            yield f"line {line}: `{file.room}` is pure and must not open files"


def terminal(file: File) -> Iterator[str]:
    """Let only `cli/` print, and only `cli/` and a child's `__main__` end the process."""
    if file.room is None:
        return
    if file.room != "cli":
        for line, name in calls(file):
            if re.fullmatch(r"print|pprint(\.pprint)?|sys\.(__)?std(out|err)(__)?\.\w+", name):
                yield f"line {line}: only `cli/` prints"
        for line, name in imports(file):
            if name.split(".")[0] in TERMINAL:
                yield f"line {line}: only `cli/` imports `{name}`"
    if not file.may_exit:
        for line, name in calls(file):
            if name in ("sys.exit", "exit", "quit", "SystemExit"):
                yield f"line {line}: raise a HoldfastError; only `cli/` ends the process"


def laws(file: File) -> Iterator[str]:
    """Have modules say their law, the package's public names what they do, tests a sentence."""
    empty = file.room is None and not file.text.strip()  # a package of tests has no law of its own
    if not file.path.endswith(".py") or empty:
        return
    if len(ast.get_docstring(tree(file.text)) or "") < LAW_CHARACTERS:
        yield f"opens without its law, a docstring of {LAW_CHARACTERS} characters or more"
    scopes: list[ast.Module | ast.ClassDef] = [tree(file.text)]
    for scope in scopes:
        for node in scope.body:
            if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                scopes.append(node)
            public = file.room is not None and not node.name.startswith("_")
            test = file.path.startswith("tests/") and node.name.startswith("test_")
            if (public or test) and not ast.get_docstring(node):
                yield f"line {node.lineno}: `{node.name}` has no docstring"


def sleeps(file: File) -> Iterator[str]:
    """Have tests wait for conditions, never for time."""
    if not (file.path.startswith("tests/") and file.path.endswith(".py")):
        return
    for line, name in calls(file):
        if name == "time.sleep":
            yield f"line {line}: a test waits for a condition: `wait_until`"
    for line, name in imports(file):
        if name == "time.sleep":
            yield f"line {line}: a test waits for a condition: `wait_until`"


def silences(file: File) -> Iterator[str]:
    """Have whoever silences a tool say which of its messages."""
    if not file.path.endswith(".py"):
        return
    for token in tokenize.generate_tokens(io.StringIO(file.text).readline):
        if token.type == tokenize.COMMENT and re.search(
            r"type:\s*ignore(?!\[[\w-])|(?i:noqa)(?!:\s*[A-Z]+\d)|ruff:\s*noqa|mypy:\s*ignore",
            token.string,
        ):
            yield f"line {token.start[0]}: names no code: {token.string}"


def places(file: File) -> Iterator[str]:
    """Keep paths of one machine, and addresses of package indexes, out of all text."""
    for number, line in enumerate(file.text.splitlines(), 1):
        if re.search(r"(?<![\w.~*}])/(?:work|root|home/\w+)(?![\w-])", line):
            yield f"line {number}: names a path of one machine"
        if re.search(
            r"(?:--(?:extra-)?index-url|--find-link[s])\b|://[\w.-]*pypi|/simpl[e]\b", line
        ):
            yield f"line {number}: names a package index"


Rule = Callable[[File], Iterator[str]]
RULES: tuple[Rule, ...] = (sizes, arrows, purity, terminal, laws, sleeps, silences, places)


@cache
def files() -> tuple[File, ...]:
    """Every text of the repository that people write."""
    found = [path for path in ROOT.iterdir() if path.suffix in {".md", ".toml", ".txt"}]
    for top in TOPS:
        found += (ROOT / top).rglob("*")
    return tuple(
        File(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))
        for path in sorted(found)
        if path.suffix in TEXTS and path.is_file() and "__pycache__" not in path.parts
    )


def complaints(rule: Rule, file: File) -> list[str]:
    return [f"{file.path}: {complaint}" for complaint in rule(file)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_the_rule(rule: Rule) -> None:
    """No file of the repository breaks the rule."""
    broken = [line for file in files() for line in complaints(rule, file)]
    assert not broken, "\n" + "\n".join(broken)


def test_the_house_is_seen() -> None:
    """The rules read the package, its tests, its scripts and its documents."""
    paths = {file.path for file in files()}
    assert {"src/holdfast/wire.py", "tests/test_shape.py", "scripts/test", ".ci/run"} <= paths
    assert {"CONTRIBUTING.md", "pyproject.toml", "constraints.txt"} <= paths


def test_arrows_point_one_way() -> None:
    """The arrows have no circle; only the start points at `cli`, and nothing at `testing`."""
    reach = {room: {to.split(".")[0] for to in allowed} for room, allowed in ARROWS.items()}
    assert [room for room, to in reach.items() if "cli" in to] == ["__main__"]
    assert [room for room, to in reach.items() if "testing" in to] == []
    while reach:
        ends = {room for room, to in reach.items() if not to & reach.keys()}
        assert ends, f"a circle among {sorted(reach)}"
        reach = {room: to for room, to in reach.items() if room not in ends}


def needs(found: tuple[File, ...]) -> dict[str, set[str]]:
    """Each module of the package with those that it imports, wherever in it and whatever for."""
    modules = {
        file.path.removeprefix("src/").removesuffix(".py").replace("/", "."): file
        for file in found
        if file.room is not None and file.path.endswith(".py")
    }
    return {
        name: {
            to
            for _, said in imports(file)
            for to in (said, said.rpartition(".")[0])
            if to in modules
        }
        for name, file in modules.items()
    }


def test_modules_import_in_no_circle() -> None:
    """Within a room, too, no file needs one that needs it, not even for a type."""
    TopologicalSorter(needs(files())).prepare()


def test_a_circle_of_modules_is_seen() -> None:
    """Two files that need each other are a circle, also where one needs but a type."""
    one = File("src/holdfast/load/a.py", "from holdfast.load.b import B")
    other = File("src/holdfast/load/b.py", "if TYPE_CHECKING:\n    from holdfast.load import a")
    with pytest.raises(CycleError):
        TopologicalSorter(needs((one, other))).prepare()


LAW = '"""Decides what a bad example is, and knows nothing else."""\n'
LONG = "def long():\n" + "    pass\n" * 59
BAD: tuple[tuple[Rule, str, str], ...] = (
    (sizes, "src/holdfast/wire.py", "\n" * 400),
    (sizes, "tests/test_x.py", LONG),
    (sizes, "tests/test_x.py", "class C:\n    async " + LONG.replace("\n", "\n    ")),
    (sizes, "scripts/x", "\n" * 21),
    (arrows, "src/holdfast/attic/x.py", ""),
    (arrows, "src/holdfast/model/x.py", "import holdfast"),
    (arrows, "src/holdfast/model/x.py", "import holdfast.wire"),
    (arrows, "src/holdfast/model/x.py", "from holdfast import wire"),
    (arrows, "src/holdfast/model/x.py", "from .. import wire"),
    (arrows, "src/holdfast/model/x.py", "from ..wire import Gauge"),
    (arrows, "src/holdfast/wire.py", "from .model import units"),
    (arrows, "src/holdfast/worker/x.py", "def f():\n    from holdfast.model import units"),
    (arrows, "src/holdfast/load/x.py", "from holdfast.model.path import Path"),
    (arrows, "src/holdfast/load/x.py", "from holdfast.model import units, path"),
    (arrows, "src/holdfast/kit/x.py", "from holdfast.model.unitsy import f"),
    (arrows, "src/holdfast/kit/x.py", "import holdfast.stack"),
    (arrows, "src/holdfast/proof/x.py", "import holdfast.cli.main"),
    (arrows, "src/holdfast/cli/x.py", "import holdfast.testing"),
    (arrows, "src/holdfast/__init__.py", "from holdfast.model import units"),
    (purity, "src/holdfast/policy/x.py", "from time import monotonic"),
    (purity, "src/holdfast/model/x.py", "def f():\n    import os.path"),
    (purity, "src/holdfast/sizing/x.py", "open('x')"),
    (terminal, "src/holdfast/load/x.py", "def f():\n    print('x')"),
    (terminal, "src/holdfast/wire.py", "sys.stdout.write('x')"),
    (terminal, "src/holdfast/stack/__main__.py", "sys.stderr.write('x')"),
    (terminal, "src/holdfast/proof/x.py", "from rich.console import Console"),
    (terminal, "src/holdfast/proof/x.py", "sys.exit(1)"),
    (terminal, "src/holdfast/proof/x.py", "raise SystemExit(1)"),
    (laws, "src/holdfast/load/__init__.py", ""),
    (laws, "bench/x.py", '"""Too short."""'),
    (laws, "src/holdfast/wire.py", LAW + "def f(): pass"),
    (laws, "src/holdfast/wire.py", LAW + "class C:\n    '''A class.'''\n    def f(self): pass"),
    (laws, "src/holdfast/wire.py", LAW + "class C: pass"),
    (laws, "tests/test_x.py", LAW + "def test_x(): pass"),
    (sleeps, "tests/test_x.py", "def f():\n    time.sleep(1)"),
    (sleeps, "tests/test_x.py", "from time import sleep"),
    (silences, "src/holdfast/wire.py", "x = 1  # type: " + "ignore"),
    (silences, "tests/test_x.py", "x = 1  # no" + "qa"),
    (silences, "tests/test_x.py", "# ruff: no" + "qa: F401"),
    (places, "docs/x.md", "see /wo" + "rk/x"),
    (places, "README.md", "`/ro" + "ot`"),
    (places, "constraints.txt", "--index" + "-url x"),
    (places, "constraints.txt", "x @ https://files.py" + "pi.org/x"),
)
GOOD: tuple[tuple[Rule, str, str], ...] = (
    (sizes, "src/holdfast/wire.py", "\n" * 399),
    (sizes, "tests/test_x.py", LONG.replace("    pass\n", "", 1)),
    (sizes, "scripts/x", "\n" * 20),
    (arrows, "src/holdfast/kit/x.py", "from holdfast.model.units import parse_count"),
    (arrows, "src/holdfast/load/x.py", "from holdfast.model import units"),
    (arrows, "src/holdfast/load/x.py", "from . import wire\nfrom holdfast.load.http import parse"),
    (arrows, "src/holdfast/__main__.py", "from holdfast.cli.main import main"),
    (arrows, "src/holdfast/cli/x.py", "from holdfast import __version__"),
    (purity, "src/holdfast/stack/x.py", "import os"),
    (terminal, "src/holdfast/cli/x.py", "import click\nprint('x')"),
    (terminal, "src/holdfast/worker/__main__.py", "sys.exit(1)"),
    (laws, "src/holdfast/wire.py", LAW + "def _f(): pass\nclass _C:\n    def f(self): pass"),
    (silences, "tests/test_x.py", "x = 1  # type: ignore[attr-defined]  # noqa: F401"),
    (places, "docs/x.md", "the network/root, /workers, tmp_path / 'root', ./work, and a / b"),
)


@pytest.mark.parametrize(("rule", "path", "text"), BAD)
def test_a_rule_catches_its_bad_example(rule: Rule, path: str, text: str) -> None:
    """Each rule complains about each of its bad examples."""
    assert complaints(rule, File(path, text)) != []


@pytest.mark.parametrize(("rule", "path", "text"), GOOD)
def test_a_rule_lets_a_good_example_pass(rule: Rule, path: str, text: str) -> None:
    """No rule complains about what is allowed."""
    assert complaints(rule, File(path, text)) == []


def test_each_rule_can_fail() -> None:
    """There is a bad example for every rule."""
    assert {rule for rule, _, _ in BAD} == set(RULES)
