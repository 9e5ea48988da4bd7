"""HF101: each process has the descriptors that its share of the target takes. Knows no file."""

from __future__ import annotations

from holdfast.checks.law import Law, Subject
from holdfast.checks.walls import below
from holdfast.model.finding import Finding, Severity

CODE = "HF101"
RESOURCES = frozenset({"descriptors"})
OTHERWISE = "raise the limit of descriptors, or add processes"


def check(subject: Subject) -> list[Finding]:
    """Each such wall below the target."""
    return below(subject, CODE, RESOURCES, OTHERWISE)


LAW = Law(
    CODE,
    "descriptors run out below the target",
    Severity.ERROR,
    "Every connection is an open descriptor of a process, and a process has only as many "
    "as its limit (RLIMIT_NOFILE) allows. Past it uvloop accepts a client and closes it, "
    "asyncio and nginx pause accepting.",
    "descriptors of a process >= its own + requests on the fullest process x descriptors "
    "a request + its idle clients; a request takes 1 at a server, 1 + 1/streams at an "
    "edge",
    "getrlimit(2); tests/law3 ran each of the programs at this wall",
    "Raise the setting that is named: worker_rlimit_nofile in nginx.conf, LimitNOFILE= in "
    "the unit of a service, ulimits in a Compose file, docker run --ulimit. Kubernetes has no "
    "field for it: a container there has what its node's runtime gives.",
    check,
)
