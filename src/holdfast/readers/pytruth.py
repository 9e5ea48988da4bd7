"""Whether a condition of a Python file holds; variables that nobody set are unset. Runs nothing."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping

import msgspec

from holdfast.readers.pyresults import Known, Result, Unknown, of_variable
from holdfast.readers.said import Said

ENVIRONS = frozenset({"os.environ", "environ"})
_EQUAL = (ast.Eq, ast.Is, ast.In)
_COMPARED = (*_EQUAL, ast.NotEq, ast.IsNot, ast.NotIn)
Values = Callable[[ast.expr], Result]
"""What an expression is."""


def truth(node: ast.expr, value: Values, env: Mapping[str, Said]) -> Known | None:
    """True or False, and unless which variable is set; None where nobody can know."""
    match node:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            test = truth(operand, value, env)
            return test and msgspec.structs.replace(test, value=not test.value)
        case ast.Compare(left=left, ops=[ast.In() | ast.NotIn() as op], comparators=[right]) if (
            ast.unparse(right) in ENVIRONS
        ):
            return _is_set(value(left), env, wanted=isinstance(op, ast.In))
        case ast.Compare(left=left, ops=[op], comparators=[right]) if isinstance(op, _COMPARED):
            return _same(_unset(value(left)), _unset(value(right)), wanted=isinstance(op, _EQUAL))
        case ast.Compare():
            return None
    found = _unset(value(node))
    if isinstance(found, Unknown) or found.a_core:
        return None
    return msgspec.structs.replace(found, value=bool(found.value or found.items), items=None)


def _is_set(name: Result, env: Mapping[str, Said], *, wanted: bool) -> Known | None:
    """Whether a variable is set, or is not."""
    if isinstance(name, Unknown) or not isinstance(name.value, str):
        return None
    is_set = name.value in env
    return Known(is_set is wanted, name.said, unless="" if is_set else name.value)


def _same(one: Result, other: Result, *, wanted: bool) -> Known | None:
    """Whether two values are equal, or one is among the other's items; or whether they are not."""
    if isinstance(one, Unknown) or isinstance(other, Unknown) or one.a_core or other.a_core:
        return None
    among = (other,) if other.items is None else other.items
    if one.items is not None or any(isinstance(each, Unknown) for each in among):
        return None
    same = one.value in [each.value for each in among if isinstance(each, Known)]
    return Known(same is wanted, one.said, unless=one.unless or other.unless)


def _unset(result: Result) -> Result:
    """A variable that nobody set is None, unless it is set."""
    name = of_variable(result)
    return Known(None, result.said, unless=name) if name else result
