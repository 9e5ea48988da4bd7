"""What `holdfast audit` says of a stack's files, before it is run; nothing else is predicted."""

from __future__ import annotations

import json
import math
import os
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from click.testing import CliRunner

from holdfast.checks.audit import Audit
from holdfast.checks.remedy import PORTS
from holdfast.cli.audit import Asked, audit, looked
from holdfast.model.holding import UNLIMITED
from holdfast.model.values import Place, Value
from tests.audited.commands import SOFT
from tests.audited.files import Written
from tests.audited.running import FilesRunning, running
from tests.law3.predictions import Wall


class Said(NamedTuple):
    """An audit of files: they can be run and pushed as a stack of law 3.

    `stopped` names who stands still meanwhile, `soft` is how many descriptors who is told nothing
    has.
    """

    files: Written
    audit: Audit
    stopped: str
    soft: int

    @property
    def walls(self) -> tuple[Wall, ...]:
        """The walls, narrowest first."""
        return tuple(Wall(*wall) for wall in self.audit.walls)

    @property
    def named(self) -> Value:
        """The value that is said to stop it."""
        assert self.audit.narrowest is not None
        value = self.audit.narrowest[1]
        assert value is not None, self.audit.narrowest
        return value

    @property
    def places(self) -> tuple[Place, ...]:
        """Every span that says the named value: each server of an upstream has one."""
        hop = self.walls[0].limit.hop
        owners = (self.audit.path.hop(hop), *self.audit.path.hosts)
        values = [v for owner in owners for v in owner.values if v.setting == self.named.setting]
        return tuple(v.place for v in values if v.place is not None)

    @property
    def next_wall(self) -> Wall | None:
        """The narrowest wall that the named value does not make; None where nothing else stops."""
        others = (wall for wall in self.walls if self.named not in wall.limit.inputs)
        return next((wall for wall in others if wall.holds.best < UNLIMITED), None)

    def raise_named(self) -> None:
        """Put so much more into the text for the named value that the next wall comes first.

        The end of a range of ports is no size: it is raised by as much as suffices.
        """
        first, named = self.walls[0].holds, self.next_wall
        most = named.holds.best if named else first.best
        factor = math.ceil(1.5 * most / first.sure)
        if self.named.setting in PORTS:
            self.files.raised(self.places, lambda number: number + factor * first.best)
        else:
            self.files.raised(self.places, lambda number: number * factor)

    @property
    def streams(self) -> float:
        """Requests on a client connection."""
        return self.audit.demand.streams

    @property
    def idle(self) -> int:
        """Clients that are connected and ask nothing."""
        return self.audit.demand.idle

    def settings(self) -> str:
        """What was drawn, in one line, for whoever reads of a failure."""
        drawn = {name: word for name, word in self.files.words.items() if word.isdigit()}
        return f"{self.files.folder}: {drawn}"

    def started(self) -> AbstractContextManager[FilesRunning]:
        """The stack as it runs."""
        return running(self.files, self.audit.path, self.soft)


def said(files: Written, *options: str, stopped: str = "") -> Said:
    """What an audit with these options finds, as its command prints it."""
    context = audit.make_context("audit", words(files, *options))
    wanted = Asked(**context.params)
    found, _, _ = looked(wanted)
    told = printed(files, *options)[1]
    assert told["holds"] == {
        "sure": found.holds.sure,
        "onset": found.holds.onset,
        "best": found.holds.best,
    }
    narrowest = found.narrowest
    if narrowest is not None and narrowest[1] is not None:
        value, named = narrowest[1], told["narrowest"]
        place = (value.place.file, value.place.line) if value.place is not None else (None, None)
        assert (named["setting"], named["file"], named["line"]) == (value.setting, *place)
    return Said(files, found, stopped, wanted.nofile or SOFT)


def printed(files: Written, *options: str) -> tuple[int, dict[str, Any]]:
    """The exit code of `holdfast audit --json` over the files, and what it prints."""
    done = CliRunner().invoke(
        audit, [*words(files, *options), "--json"], standalone_mode=False, catch_exceptions=False
    )
    return int(done.return_value), json.loads(done.stdout)


def words(files: Written, *options: str) -> list[str]:
    """The words of an audit of the files on a machine like this one."""
    return [str(files.folder), "--cores", str(os.cpu_count()), *options]
