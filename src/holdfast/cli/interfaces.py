"""Which interface an app speaks: as told, as its text shows, or as a process that imports it says.

Must not know engines, nor what is done with the answer.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from holdfast.model.errors import BadInput
from holdfast.readers.interface import written_interface
from holdfast.wire import READY, decode

IMPORT_S: Final = 60.0
_SAY: Final = "say it: `--interface ASGI`, `WSGI` or `Tornado`"


def interface_of(app: str, app_dir: str, env: dict[str, str]) -> tuple[str, str]:
    """The interface of `module:attribute`, and how it is known; raises BadInput.

    `env` is what the project sets for the app.
    """
    found = shown_interface(app, app_dir)
    if found is not None:
        return found, "its text shows it"
    return _asked(app, app_dir, env), "it was imported and looked at"


def shown_interface(app: str, app_dir: str) -> str | None:
    """The interface that the text of `module:attribute` shows; None where it shows none."""
    module, _, attribute = app.partition(":")
    text = _text(Path(app_dir), module)
    return None if text is None else written_interface(text, attribute)


def _text(folder: Path, module: str) -> str | None:
    """The module's source, where it is a file of the folder that can be read."""
    place = folder.joinpath(*module.split("."))
    for file in (Path(f"{place}.py"), place / "__init__.py"):
        try:
            return file.read_text("utf-8")
        except (OSError, ValueError):
            continue
    return None


def _asked(app: str, app_dir: str, env: dict[str, str]) -> str:
    """What a child that imports the app says; what the app prints goes nowhere."""
    read, write = os.pipe()
    argv = [sys.executable, "-P", "-m", "holdfast.worker.spoken", str(write), app]
    told = {name: text for name, text in env.items() if "{" not in text}
    try:
        with os.fdopen(read, "rb") as answer:
            try:
                subprocess.run(
                    [*argv, os.path.abspath(app_dir)],
                    env=os.environ | told,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=(write,),
                    timeout=IMPORT_S,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise BadInput(
                    f"importing `{app}` took over {IMPORT_S:g} s", place="APP", hint=_SAY
                ) from None
            finally:
                os.close(write)
            (said, *_), _ = decode(answer.read() or b'{"type": "gone"}\n')
    except OSError as wrong:
        raise BadInput(f"cannot import `{app}` to look at it: {wrong}", hint=_SAY) from None
    if said["type"] == READY:
        if said["interface"] is None:
            fault = f"`{app}` does not show whether it speaks ASGI, WSGI or Tornado"
            raise BadInput(fault, place="APP", hint=_SAY)
        return str(said["interface"])
    fault = said.get("error", f"importing `{app}` ended the process")
    raise BadInput(fault, place=said.get("place"), hint=said.get("hint") or _SAY)
