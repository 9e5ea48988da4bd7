"""`holdfast audit`: what files of configuration hold, and which line stops it. Starts nothing."""

from __future__ import annotations

import difflib
import gc
import math
from typing import Any, Literal

import click
import msgspec

from holdfast.checks.audit import Audit
from holdfast.checks.audit import audit as audit_path
from holdfast.checks.mend import Mended, changes_for, edited, settled
from holdfast.cli import say
from holdfast.cli.audit_costs import with_memory
from holdfast.cli.audit_files import read_all
from holdfast.cli.audit_input import SOFT_NOFILE, SOFT_WHY, Input, read_input
from holdfast.cli.options import COUNT, COUNT_OR_ZERO, SECONDS, Parsed, json_option
from holdfast.cli.sarif import sarif
from holdfast.cli.show_audit import audit_json, show_audit, show_mended
from holdfast.facts.hosts import DISTRIBUTIONS, Packages, read_defaults, read_packages
from holdfast.model.errors import BadInput
from holdfast.model.finding import Finding, Severity
from holdfast.model.path import Count, Demand, Host, Kind, Path
from holdfast.model.units import parse_bytes
from holdfast.model.values import Source, Value, assumed
from holdfast.observe.host import read_host
from holdfast.observe.tree import Tree
from holdfast.programs.catalog import RUN
from holdfast.programs.rows import parts

CORES = 2
MEAN_TIME_S = 20.0
NOBODY = "nobody said"
RAN_WHY = "the version whose limits were run"
MOST_SAID = 5
"""Lines of one kind after the findings, where a folder of a thousand sites would have as many."""
NEW_OBJECTS = 100_000
"""Records of files stay to the end and form no circles: looking through them is a third of it."""

Versions = dict[str, Value]
"""Of each program, with who says so."""


class Asked(msgspec.Struct, frozen=True):
    """What the options say."""

    paths: tuple[str, ...]
    live: int | None
    target: int | None
    assume: tuple[str, ...]
    cores: float | None
    memory: int | None
    nofile: int | None
    host: Literal["here"] | None
    streams: int
    idle: int
    mean_time: float | None
    as_json: bool
    as_sarif: bool
    diff: bool
    fix: bool


@click.command()
@click.argument("paths", nargs=-1)
@click.option("--live", type=click.IntRange(min=1), metavar="PID", help="Audit what runs.")
@click.option("--target", "-n", type=COUNT, help="Requests in flight that are wanted: 50k.")
@click.option("--streams", type=COUNT, default="1", help="Requests a client connection (HTTP/2).")
@click.option("--idle", type=COUNT_OR_ZERO, default="0", help="Idle keep-alive clients beside.")
@click.option("--mean-time", type=SECONDS, help="Mean time of a request  [default: 20s]")
@click.option("--assume", multiple=True, help="debian-12, nginx=1.26.3  [default: debian-12]")
@click.option("--cores", type=click.FloatRange(min=0, min_open=True), help="Of the host.")
@click.option("--memory", type=Parsed("size", parse_bytes), help="Of the host: 32GiB.")
@click.option("--nofile", type=COUNT, help="Descriptors a process  [default: 1024, the soft limit]")
@click.option("--host", type=click.Choice(["here"]), help="Take this machine for the host.")
@click.option("--diff", is_flag=True, help="Show the changes that reach the target.")
@click.option("--fix", is_flag=True, help="Write them.")
@click.option("--sarif", "as_sarif", is_flag=True, help="Findings as SARIF 2.1.0.")
@json_option
def audit(**given: Any) -> int:
    """What configuration files hold, and which line stops it.

    PATHS are files or folders: nginx, HAProxy, gunicorn, uvicorn and other servers, systemd units,
    sysctl.conf, limits.conf, Compose files, Dockerfiles, Procfiles. Nothing is executed, and
    nothing outside of them read.

    With --live the stack that a process is part of is audited from its effective limits: nginx,
    HAProxy, gunicorn and the like, or `holdfast up`. PATHS are then what it should have: units,
    sysctls. It only reads, and needs no root for processes of one's own.

    \b
    holdfast audit /etc/nginx gunicorn.conf.py
    holdfast audit deploy --target 50k --cores 16 --memory 32GiB
    holdfast audit deploy --target 50k --diff
    holdfast audit /etc/nginx --host here --assume nginx=1.26.3
    holdfast audit --live 4711 --target 50k

    Exit codes: 0 no error, and the target is surely held; 1 an error, or it is not; 2 bad input.
    """
    asked = Asked(**given)
    gc.set_threshold(NEW_OBJECTS)
    _check(asked)
    whole, found, tree = looked(asked)
    mended = changes_for(whole.path, whole.demand) if asked.diff or asked.fix else None
    if mended is not None and asked.live is not None:
        from holdfast.cli.audit_live import without_proc

        mended = without_proc(mended)
    if mended is not None:
        mended = settled(mended, _changing(tree, mended))
    _print(asked, whole, mended, found, tree)
    if asked.fix and mended is not None:
        return _write(tree, mended)
    errors = any(each.severity is Severity.ERROR for each in whole.findings)
    return 1 if errors or not whole.is_enough else 0


def _check(asked: Asked) -> None:
    if (asked.diff or asked.fix) and asked.target is None:
        raise BadInput("changes need a number to reach", place="--target", hint="add `-n 50k`")
    if asked.mean_time == 0:
        hint = "name how long a request takes, like `20s`"
        raise BadInput("a mean time of zero makes no rate", place="--mean-time", hint=hint)
    if asked.as_json and asked.as_sarif:
        raise BadInput("it is one form or the other", place="--sarif", hint="leave out `--json`")
    if asked.live is None and not asked.paths:
        hint = "name files or folders, or a process with `--live PID`"
        raise BadInput("there is nothing to audit", hint=hint)
    if asked.live is not None and asked.fix:
        hint = "see what to change with `--diff`, and fix the files: `holdfast audit FILE... --fix`"
        raise BadInput("what runs is only read", place="--fix", hint=hint)
    told = {"--cores": asked.cores, "--memory": asked.memory, "--nofile": asked.nofile}
    for option in (name for name, value in told.items() if value is not None):
        if asked.live is not None:
            hint = "leave it out: it is read from the machine"
            raise BadInput("what runs has what it has", place=option, hint=hint)


def looked(asked: Asked) -> tuple[Audit, Input, Tree]:
    """The audit of the narrowest way with what is wrong on any; what was read, and where."""
    packages, versions = _packages(asked)
    tree, found, versions = _read(asked, packages, versions)
    audits = [_audited(asked, way.path, found.problems, versions) for way in found.ways]
    first = min(audits, key=lambda each: each.holds)
    return msgspec.structs.replace(first, findings=_all_findings(audits)), found, tree


def _read(asked: Asked, packages: Packages, versions: Versions) -> tuple[Tree, Input, Versions]:
    """What is audited, and the versions: of files, or of what runs and what it should have."""
    if asked.live is None:
        tree = Tree(asked.paths)
        found = read_input(tree, _host(asked), packages, versions, _nofile(asked))
        return tree, found, versions
    from holdfast.cli.audit_live import read_live

    meant = Tree(asked.paths) if asked.paths else None
    reads = read_all(meant, packages).reads if meant is not None else []
    live = read_live(asked.live, read_host(), reads, versions, _nofile(asked))
    live.named.left.update(meant.left if meant is not None else {})
    return live.named, live.found, live.versions


def _audited(asked: Asked, path: Path, problems: tuple[Finding, ...], versions: Versions) -> Audit:
    mean = asked.mean_time or MEAN_TIME_S
    number = asked.target or 1
    burst = 0 if asked.target is None else math.ceil(number / mean)
    kinds = (Kind("any", 1.0, mean),)
    demand = Demand(number, kinds, asked.idle, float(asked.streams), burst)
    if asked.live is None:  # what runs has taken its memory already
        path = with_memory(path)
    told = audit_path(path, demand, asked.target, problems)
    taken = (versions[hop.program] for hop in path.hops if hop.program in versions)
    told_by = {hop.program: hop.version for hop in path.hops}
    more = [
        each
        for each in dict.fromkeys(taken)
        if each.source is Source.ASSUMED and each.value == told_by[each.setting]
    ]
    if asked.mean_time is None and asked.target is not None:
        why = f"{NOBODY}: --mean-time; so {demand.rate:,.0f} requests arrive a second"
        more.append(assumed("mean_time_s", MEAN_TIME_S, why))
    return msgspec.structs.replace(told, assumed=(*told.assumed, *more))


def _host(asked: Asked) -> Host:
    """The host as told, or this one; the rest is the distribution's default, or assumed."""
    if asked.host == "here":
        return read_host()
    values = [assumed(name, value, why) for name, (value, why) in read_defaults().items()]
    if asked.memory is not None:
        values.append(Value("memory_available", asked.memory, Source.WRITTEN, "--memory"))
    if asked.cores is None:
        values.append(assumed("cores", CORES, f"{NOBODY}: --cores"))
    return Host("host", Count(), asked.cores or CORES, asked.memory or 0, tuple(values))


def _packages(asked: Asked) -> tuple[Packages, Versions]:
    """What the assumed distribution has, and the version of each program, with who says so."""
    named = [each for each in asked.assume if "=" not in each] or [DISTRIBUTIONS[0]]
    if len(named) > 1 or named[0] not in DISTRIBUTIONS:
        known = ", ".join(f"`{name}`" for name in (*DISTRIBUTIONS, "nginx=1.26.3"))
        raise BadInput(f"`{named[-1]}` is not known", place="--assume", hint=f"one of {known}")
    packages = read_packages(named[0])
    versions = {
        **{name: assumed(name, version, RAN_WHY) for name, version in RUN.items()},
        **{
            name: assumed(name, version, f"{packages.name}'s version")
            for name, version in packages.programs.items()
        },
    }
    for each in asked.assume:
        name, is_version, version = each.partition("=")
        if is_version and name not in versions:
            known = ", ".join(f"`{name}`" for name in versions)
            raise BadInput(f"`{name}` is not known", place="--assume", hint=f"one of {known}")
        if is_version and not parts(version):
            hint = f"write it like `{name}={versions[name].value}`"
            raise BadInput(f"`{version}` is no version", place="--assume", hint=hint)
        if is_version:
            versions[name] = Value(name, version, Source.WRITTEN, "--assume")
    return packages, versions


def _nofile(asked: Asked) -> Value:
    if asked.nofile is not None:
        return Value("nofile", asked.nofile, Source.WRITTEN, "--nofile")
    return assumed("nofile", SOFT_NOFILE, SOFT_WHY)


def _all_findings(audits: list[Audit]) -> tuple[Finding, ...]:
    """Those of all ways, each once."""
    found = {(f.code, f.message, f.places): f for each in audits for f in each.findings}
    order = list(Severity)
    return tuple(sorted(found.values(), key=lambda finding: order.index(finding.severity)))


def _print(asked: Asked, whole: Audit, mended: Mended | None, found: Input, tree: Tree) -> None:
    if asked.as_sarif:
        say.data(sarif(whole.findings))
    elif asked.as_json:
        answer = audit_json(whole, mended)
        told = {"granted": found.granted, "unjoined": found.unjoined, "left": tree.left}
        say.data({**answer, **told, "files": found.files, "ways": len(found.ways)})
    else:
        if len(found.ways) > 1:
            say.text(f"{len(found.ways)} ways through these files; this is the narrowest")
        show_audit(whole, len(found.files))
        _some("taken for granted: ", found.granted)
        _some("not joined: ", found.unjoined)
        if mended is not None:
            say.text()
            show_mended(mended, _diff(tree, mended))
    by_why: dict[str, list[str]] = {}
    for name, why in tree.left.items():
        by_why.setdefault(why, []).append(name)
    for why, names in by_why.items():
        more = f" and {len(names) - MOST_SAID:,} more" if len(names) > MOST_SAID else ""
        say.say(f"not read: {', '.join(names[:MOST_SAID])}{more}: {why}")


def _some(head: str, said: tuple[str, ...]) -> None:
    for each in said[:MOST_SAID]:
        say.item(head, each)
    if len(said) > MOST_SAID:
        say.item(head, f"{len(said) - MOST_SAID:,} more; --json has all")


def _changing(tree: Tree, mended: Mended) -> dict[str, bytes]:
    """The files that change, as they are."""
    edits = (edit for change in mended.changes for edit in change.edits)
    names = dict.fromkeys(edit.place.file for edit in edits)
    return {name: tree.read(name) or b"" for name in names}


def _files(tree: Tree, mended: Mended) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The files that change, as they are and as they become."""
    before = _changing(tree, mended)
    return before, edited(before, (edit for change in mended.changes for edit in change.edits))


def _diff(tree: Tree, mended: Mended) -> str:
    before, after = _files(tree, mended)
    lines: list[str] = []
    for name, new in after.items():
        old, new_text = before[name].decode(errors="replace"), new.decode(errors="replace")
        lines += difflib.unified_diff(
            old.splitlines(keepends=True), new_text.splitlines(keepends=True), name, name
        )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _write(tree: Tree, mended: Mended) -> int:
    from holdfast.cli.audit_fix import write_all

    before, after = _files(tree, mended)
    write_all(tree, before, after)
    for name in after:
        say.say(f"written: {name}")
    for change in mended.by_hand:
        say.say(f"left to you: {change.line} ({change.of})")
    return 0 if mended.after.is_enough and not mended.by_hand else 1
