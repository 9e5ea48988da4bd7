"""The engine of an app where nobody names one: what serves the interface that its text shows.

Imports no app, and must not know what engines cost.
"""

from __future__ import annotations

import msgspec

from holdfast.cli.context import Options, find_project
from holdfast.cli.interfaces import shown_interface
from holdfast.cli.options import is_said
from holdfast.wire import USUAL_ENGINE, USUAL_ENGINES


def usual(options: Options) -> Options:
    """The options with the engine of what the app's text shows, and a note where it is not uvicorn.

    As they are where `--engine` is said and where hosts serve the app. A text that shows nothing
    leaves uvicorn, whose worker refuses what plainly speaks something else.
    """
    project = find_project(options)
    app = options.app or project.app
    if is_said("engine") or project.edge.hosts or not app:
        return options
    spoken = shown_interface(app, options.app_dir)
    if spoken is None or USUAL_ENGINES[spoken] == USUAL_ENGINE:
        return options
    engine = USUAL_ENGINES[spoken]
    note = f"{engine} serves `{app}`, whose text shows {spoken}; `--engine` names another"
    return msgspec.structs.replace(options, engine=engine, said=(*options.said, note))
