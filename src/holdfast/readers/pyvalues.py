"""What a Python file's top-level names are, read as syntax. Nothing is imported or executed.

Knows constants, arithmetic, `cpu_count()`, environment variables with their defaults, `int()`,
`str()`, f-strings and lists; everything else is `Unknown` and says why.
"""

from __future__ import annotations

import ast
import math
import re
import warnings
from collections.abc import Callable, Iterator, Mapping

import msgspec

from holdfast.model.errors import BadInput
from holdfast.readers.pyresults import Known, Result, Scalars, Unknown, given, of_variable
from holdfast.readers.pytruth import ENVIRONS, truth
from holdfast.readers.said import Said
from holdfast.readers.text import Text

MOST_CHARS, MOST_ITEMS, MOST_NUMBER, MOST_POWER = 65_536, 1_000, 2.0**63, 16
_LINE_END = re.compile(r"\r\n|\r|\n")
_CORES = frozenset({"cpu_count", "process_cpu_count"})
_ENVIRON = frozenset({"environ.get", "os.environ.get", "getenv", "os.getenv"})


def parse(text: Text) -> ast.Module:
    """The file's syntax; raises BadInput where it is no Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text.said)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as wrong:
        line = f", line {wrong.lineno}" if isinstance(wrong, SyntaxError) and wrong.lineno else ""
        raise BadInput(
            f"no Python{line}: {wrong.args[0] if wrong.args else 'nested too deep'}",
            place=text.name,
            hint="such a configuration file is a Python module",
        ) from None


def top_level(text: Text, env: Mapping[str, Said]) -> dict[str, Result]:
    """Every name that the file assigns at its top level, as it is in the end."""
    reading = _Module(text, env)
    reading.run(parse(text).body)
    return reading.names


class _Module:
    """The names of one file while its statements are gone through, in their order."""

    def __init__(self, text: Text, env: Mapping[str, Said]) -> None:
        self.text, self.env = text, env
        self.names: dict[str, Result] = {}
        self.starts = [0, *(found.end() for found in _LINE_END.finditer(text.said))]

    def said(self, node: ast.expr | ast.stmt) -> Said:
        """The span of a node."""
        last, column = node.end_lineno or node.lineno, node.end_col_offset or 0
        return Said.of(
            self.text, self._offset(node.lineno, node.col_offset), self._offset(last, column)
        )

    def _offset(self, line: int, column: int) -> int:
        """The character of a line, and a column in bytes of UTF-8."""
        start = self.starts[line - 1]
        piece = self.text.said[start : start + column]
        if piece.isascii():
            return start + column
        return start + len(
            piece.encode("utf-8", "surrogateescape")[:column].decode("utf-8", "replace")
        )

    def run(self, body: list[ast.stmt]) -> None:
        """Note what each statement assigns."""
        for node in body:
            match node:
                case ast.Assign(targets=targets, value=value):
                    result = self.value(value)
                    for target in targets:
                        self._assign(target, result)
                case ast.AnnAssign(target=target, value=ast.expr() as value):
                    self._assign(target, self.value(value))
                case ast.AugAssign(target=ast.Name(id=name), op=op, value=value):
                    left = self.names.get(name, Unknown(self.said(node), "is not assigned before"))
                    self.names[name] = self._arithmetic(node, op, left, self.value(value))
                case ast.If():
                    self._either(node)
                case ast.Try(body=tried, handlers=handlers, orelse=after, finalbody=last):
                    self.run(tried)
                    self._forget(
                        [each for handler in handlers for each in handler.body], "an `except`"
                    )
                    self.run([*after, *last])
                case ast.With(body=inner):
                    self.run(inner)
                case ast.For() | ast.While() | ast.Match():
                    self._forget([node], "a loop")

    def _either(self, node: ast.If) -> None:
        """The branch that is taken; where a variable that is not set decides, unless it is."""
        test = truth(node.test, self.value, self.env)
        if test is None:
            self._forget([*node.body, *node.orelse], "a condition that nobody can know")
            return
        taken, left = (node.body, node.orelse) if test.value else (node.orelse, node.body)
        self.run(taken)
        if test.unless:
            for name, where in _assigned([*taken, *left]):
                known = self.names.get(name)
                why = "is assigned in a condition that nobody can know"
                self.names[name] = (
                    Unknown(self.said(where), why) if known is None else given(known, test.unless)
                )

    def _forget(self, body: list[ast.stmt], why: str) -> None:
        """What such statements may assign is not known any more."""
        for name, where in _assigned(body):
            self.names[name] = Unknown(self.said(where), f"is assigned in {why}")

    def _assign(self, target: ast.expr, result: Result) -> None:
        if isinstance(target, ast.Name):
            self.names[target.id] = result
        elif isinstance(target, ast.Tuple | ast.List):
            items = result.items if isinstance(result, Known) else None
            for index, each in enumerate(target.elts):
                known = items is not None and len(items) == len(target.elts)
                one = items[index] if known and items else Unknown(self.said(each), "is unpacked")
                self._assign(each, one)

    def value(self, node: ast.expr) -> Result:
        """What an expression is."""
        try:
            return self._value(node)
        except RecursionError:
            return Unknown(self.said(node), "is nested too deep")

    def _value(self, node: ast.expr) -> Result:
        said = self.said(node)
        found: Result | None = None
        match node:
            case ast.Constant(value=str() as value):
                found = Known(value, Said.meant(self.text, *said.span, value))
            case ast.Constant(value=bool() | int() | float() | None as value):
                found = Known(value, said)
            case ast.Name(id=name):
                missing = Unknown(said, f"`{name}` is not assigned in this file")
                found = self.names.get(name, missing)
            case ast.List(elts=elts) | ast.Tuple(elts=elts) if len(elts) <= MOST_ITEMS:
                found = Known(None, said, items=tuple(self._value(each) for each in elts))
            case ast.BinOp(left=left, op=op, right=right):
                found = self._arithmetic(node, op, self._value(left), self._value(right))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                found = self._arithmetic(node, ast.Sub(), Known(0, said), self._value(operand))
            case ast.Compare() | ast.UnaryOp(op=ast.Not()):
                found = truth(node, self.value, self.env)
            case ast.IfExp(test=condition, body=body, orelse=orelse):
                test = truth(condition, self.value, self.env)
                if test is not None:
                    found = self._value(body if test.value else orelse)
                    found = given(found, test.unless) if test.unless else found
            case ast.BoolOp(op=ast.Or(), values=values):
                found = self._first_true(values, said)
            case ast.JoinedStr(values=values):
                found = self._joined(values, said)
            case ast.Subscript(value=of, slice=ast.Constant(value=str() as name)):
                if ast.unparse(of) in ENVIRONS:
                    found = self._variable(name, None, said)
            case ast.Call():
                found = self._call(node, said)
        return found or Unknown(said, "is computed when the server starts")

    def _first_true(self, values: list[ast.expr], said: Said) -> Result:
        """`a or b`: the first that is true."""
        for each in values:
            found = self._value(each)
            name = of_variable(found)
            if name:
                rest = self._first_true(values[values.index(each) + 1 :], said)
                return given(rest, name)
            if isinstance(found, Unknown) or found.value or found.a_core or found.items:
                return found
        return found if values else Unknown(said, "is computed when the server starts")

    def _joined(self, values: list[ast.expr], said: Said) -> Result:
        """An f-string without formats."""
        chars, unless = "", ""
        for each in values:
            if isinstance(each, ast.FormattedValue) and each.format_spec is None:
                part = self._value(each.value)
            else:
                part = self._value(each)
            if isinstance(part, Unknown) or part.a_core or part.items is not None:
                return part if isinstance(part, Unknown) else Unknown(said, "depends on cores")
            chars, unless = chars + str(part.value), unless or part.unless
            if len(chars) > MOST_CHARS:
                return Unknown(said, "is too long")
        return Known(chars, Said.meant(self.text, *said.span, chars), unless=unless)

    def _arithmetic(
        self, node: ast.expr | ast.stmt, op: ast.operator, left: Result, right: Result
    ) -> Result:
        said = self.said(node)
        for each in (left, right):
            if isinstance(each, Unknown):
                return each
        assert isinstance(left, Known)
        assert isinstance(right, Known)
        unless = left.unless or right.unless
        if isinstance(op, ast.Add) and (left.items is not None or isinstance(left.value, str)):
            return _added(left, right, said, unless)
        if not (_is_number(left) and _is_number(right)):
            return Unknown(said, "is computed when the server starts")
        found = _linear(op, left, right)
        if found is None or max(map(abs, found)) > MOST_NUMBER:
            return Unknown(said, "is computed when the server starts")
        return Known(found[0], said, a_core=found[1], unless=unless)

    def _call(self, node: ast.Call, said: Said) -> Result:
        name, arguments = ast.unparse(node.func), node.args
        last = name.rpartition(".")[2]
        if last in _CORES or (last == "len" and "sched_getaffinity" in ast.unparse(node)):
            return Known(0, said, a_core=1.0)
        if name in _ENVIRON and arguments:
            asked = self._value(arguments[0])
            if isinstance(asked, Known) and isinstance(asked.value, str):
                return self._variable(asked.value, arguments[1:2], said)
        if name in _CONVERT and len(arguments) == 1:
            found = self._value(arguments[0])
            return found if isinstance(found, Unknown) else _converted(name, found, said)
        if name in ("max", "min") and arguments and not node.keywords:
            return _extreme(name, [self._value(each) for each in arguments], said)
        return Unknown(said, f"`{name}()` is called when the server starts")

    def _variable(self, name: str, default: list[ast.expr] | None, said: Said) -> Result:
        """An environment variable: what is known of it, or its default and that it may be set."""
        if name in self.env:
            return Known(self.env[name].chars, self.env[name])
        if not default:
            return Unknown(said, f"is the variable `{name}`, which is not set here")
        return given(self._value(default[0]), name)


def _assigned(body: list[ast.stmt]) -> Iterator[tuple[str, ast.Name]]:
    """Every name that statements may assign, and where."""
    for node in body:
        for each in ast.walk(node):
            if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
                yield each.id, each


def _is_number(known: Known) -> bool:
    return isinstance(known.value, int | float) and known.items is None


def _added(left: Known, right: Known, said: Said, unless: str) -> Result:
    """Strings or lists, one after the other."""
    if isinstance(left.value, str) and isinstance(right.value, str):
        chars = left.value + right.value
        if len(chars) <= MOST_CHARS:
            return Known(chars, Said(said.text, chars, None, said.span), unless=unless)
    if left.items is not None and right.items is not None:
        items = (*left.items, *right.items)
        if len(items) <= MOST_ITEMS:
            return Known(None, said, items=items, unless=unless)
    return Unknown(said, "is computed when the server starts")


def _linear(op: ast.operator, left: Known, right: Known) -> tuple[int | float, float] | None:
    """(more, a_core) of a sum, difference, product or quotient; None where it is not linear."""
    a, b = left.value, right.value
    assert isinstance(a, int | float)
    assert isinstance(b, int | float)
    if isinstance(op, ast.Mod | ast.Pow):
        plain = not left.a_core and not right.a_core
        return (_not_linear(op, a, b), 0.0) if plain and (b or isinstance(op, ast.Pow)) else None
    match op:
        case ast.Add():
            return a + b, left.a_core + right.a_core
        case ast.Sub():
            return a - b, left.a_core - right.a_core
        case ast.Mult() if not right.a_core:
            return a * b, left.a_core * b
        case ast.Mult() if not left.a_core:
            return a * b, right.a_core * a
        case ast.Div() if b and not right.a_core:
            return a / b, left.a_core / b
        case ast.FloorDiv() if b and not right.a_core:
            return (a / b, left.a_core / b) if left.a_core else (a // b, 0.0)
    return None


def _not_linear(op: ast.operator, a: int | float, b: int | float) -> int | float:
    """A remainder, or a power as far as anybody would write one."""
    if isinstance(op, ast.Mod):
        return a % b
    is_small = 0 <= b <= MOST_POWER and abs(a) <= MOST_NUMBER
    power: int | float = a**b if is_small else math.inf
    return power


_CONVERT: dict[str, Callable[[str], Scalars]] = {
    "int": lambda text: int(float(text)) if "." in text else int(text),
    "float": float,
    "str": str,
}


def _converted(name: str, known: Known, said: Said) -> Result:
    """int(), float() or str() of a value; what grows with the cores stays as it is."""
    if known.a_core or known.items is not None:
        return known
    try:
        value = _CONVERT[name](str(known.value))
    except (ValueError, OverflowError):
        return Unknown(said, f"`{name}({known.value!r})` cannot be")
    return msgspec.structs.replace(known, value=value)


def _extreme(name: str, found: list[Result], said: Said) -> Result:
    """max() or min() of numbers that do not depend on the cores."""
    known = [each for each in found if isinstance(each, Known) and _is_number(each)]
    if len(known) < len(found) or any(each.a_core for each in known):
        return Unknown(said, f"`{name}()` of what depends on the machine")
    pick = max if name == "max" else min
    return pick(known, key=lambda each: float(each.value or 0))
