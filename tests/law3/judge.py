"""Law 3 itself: whether what a stack met is what was said of it. Runs nothing."""

from __future__ import annotations

from holdfast.model.limit import Act
from tests.law3.measure import Met
from tests.law3.predictions import Wall
from tests.law3.pushed import Stack


def complaints(stack: Stack, wall: Wall, met: Met) -> list[str]:
    """Each way in which what was met is not what was said; none where the law holds.

    `best` is met within 1 a process; an HTTP/2 request more may need no connection more.
    """
    limit, best, more = wall.limit, wall.holds.best, int(stack.streams > 1)
    said = f"{limit.resource} {wall.holds} {limit.full}"
    found = []
    if not best - limit.scopes <= met.held <= best + more:
        found.append(f"{met.held} were held, not {best}: {said}")
    if met.most > best + more:
        found.append(f"{met.most} were in flight once, more than {best}: {said}")
    if limit.full.act not in met.acts or met.acts - wall.acts:
        found.append(f"the others met {sorted(act.value for act in met.acts)}: {said}")
    if limit.full.act is Act.REFUSES and met.statuses != {limit.full.told[:3]}:
        found.append(f"the others were told {sorted(met.statuses)}: {said}")
    if wall.acts <= {Act.QUEUES, Act.RETRIES} and met.answered < met.held + met.waited:
        found.append(f"{met.waited} waited, and {met.answered} were answered: {said}")
    if stack.idle and (met.idle_left > 0) != limit.yields:
        found.append(f"{met.idle_left} idle clients were closed: {said}")
    return found
