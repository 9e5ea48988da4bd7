"""Imports `module:attribute`, and says precisely why it cannot.

Knows no engine and no supervisor; the caller has put the app's folder on the import path.
"""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

from holdfast.wire import USUAL_ENGINE, Interface
from holdfast.worker.failure import Failure, place_of, raised, tail_of
from holdfast.worker.interfaces import must_speak


def load_app(
    target: str, app_dir: str, interface: Interface = "ASGI", engine: str = USUAL_ENGINE
) -> Callable[..., Any]:
    """The app that `target` names, for an engine that serves `interface`; raises Failure."""
    app, file = find_app(target, app_dir)
    must_speak(interface, engine, target, app, file)
    return app  # type: ignore[no-any-return]


def find_app(target: str, app_dir: str) -> tuple[Any, str | None]:
    """What `target` names, whatever it speaks, and the file of its module; raises Failure."""
    module_name, _, attribute = target.partition(":")
    if not module_name or not attribute:
        raise Failure(f"`{target}` names no app", hint="write it as `module:attribute`")
    module = _import(module_name, app_dir)
    app: Any = module
    for name in attribute.split("."):
        try:
            app = getattr(app, name)
        except AttributeError:
            raise Failure(
                f"module `{module_name}` has no attribute `{attribute}`",
                place=getattr(module, "__file__", None),
                hint=_did_you_mean(f"{module_name}:", name, _callables(app)),
            ) from None
    return app, getattr(module, "__file__", None)


def _import(name: str, app_dir: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if name == missing or name.startswith(missing + "."):
            hint = _did_you_mean("", name, _modules(app_dir))
            raise Failure(f"there is no module `{missing}`", place=app_dir, hint=hint) from None
        raise Failure(
            f"`{name}` imports `{missing}`, which is not there",
            place=place_of(error, app_dir),
            hint=f"install `{missing.partition('.')[0]}` for {sys.executable}",
            trace=tail_of(error),
        ) from None
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise raised(f"importing `{name}`", error, app_dir) from None


def _did_you_mean(prefix: str, name: str, there: Iterable[str]) -> str:
    names = sorted(there)
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f"did you mean `{prefix}{near[0]}`?"
    if names:
        return "there are " + ", ".join(f"`{prefix}{found}`" for found in names[:8])
    return "write it as `module:attribute`, with the folder that holds the module"


def _callables(module: Any) -> list[str]:
    own = getattr(module, "__name__", None)
    found = vars(module).items() if hasattr(module, "__dict__") else ()
    return [
        name
        for name, value in found
        if callable(value)
        and not name.startswith("_")
        and not (isinstance(value, type) and value.__module__ != own)
    ]


def _modules(folder: str) -> list[str]:
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return [name.removesuffix(".py") for name in names if name.endswith(".py")]
