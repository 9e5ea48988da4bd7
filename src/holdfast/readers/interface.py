"""Which interface an app speaks, by its module's text: where that is plain nothing is imported.

Never guesses: what is made by a name that is not in the table, or twice, or below a condition,
is not known here.
"""

from __future__ import annotations

import ast
import warnings
from typing import Final

MAKERS: Final = {
    "fastapi.FastAPI": "ASGI",
    "starlette.applications.Starlette": "ASGI",
    "litestar.Litestar": "ASGI",
    "quart.Quart": "ASGI",
    "falcon.asgi.App": "ASGI",
    "django.core.asgi.get_asgi_application": "ASGI",
    "django.core.wsgi.get_wsgi_application": "WSGI",
    "flask.Flask": "WSGI",
    "bottle.Bottle": "WSGI",
    "falcon.App": "WSGI",
    "tornado.web.Application": "Tornado",
}
"""What makes an app of which interface, by its full name."""
_ASGI: Final = ["scope", "receive", "send"]
_WSGI: Final = ["environ", "start_response"]


def written_interface(text: str, attribute: str) -> str | None:
    """ASGI, WSGI or Tornado, where the module's text shows what `attribute` is; None elsewhere."""
    module = _parsed(text)
    made = [node for node in module.body if attribute in _makes(node)]
    bound = [node for node in ast.walk(module) if attribute in _binds(node)]
    if len(made) != 1 or len(bound) != 1:
        return None
    (one,), names = made, _imported(module)
    if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef):
        asked = [argument.arg for argument in one.args.args]
        if one.decorator_list:
            return None
        if isinstance(one, ast.AsyncFunctionDef):
            return "ASGI" if asked == _ASGI else None
        return "WSGI" if asked == _WSGI else None
    value = getattr(one, "value", None)
    return MAKERS.get(_full(value.func, names)) if isinstance(value, ast.Call) else None


def _parsed(text: str) -> ast.Module:
    """The text as Python, empty where it is none; warnings of it are for whoever imports it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return ast.Module([], [])


def _imported(module: ast.Module) -> dict[str, str]:
    """What each name that the module imports at its top is called in full."""
    found = {}
    for node in module.body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
    return found


def _makes(node: ast.stmt) -> set[str]:
    """The names that a statement makes, each by itself."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return {node.name}
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return {each.id for each in targets if isinstance(each, ast.Name)}
    return set()


def _binds(node: ast.AST) -> set[str]:
    """The names that a part of a text binds by itself, in whatever way."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Name):
        return set() if isinstance(node.ctx, ast.Load) else {node.id}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name for alias in node.names}
    return set()


def _full(function: ast.expr, names: dict[str, str]) -> str:
    """A dotted name as it is in full, empty for any other expression."""
    parts: list[str] = []
    while isinstance(function, ast.Attribute):
        parts.append(function.attr)
        function = function.value
    if not isinstance(function, ast.Name):
        return ""
    return ".".join([names.get(function.id, function.id), *reversed(parts)])
