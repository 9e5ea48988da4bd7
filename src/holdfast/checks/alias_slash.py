"""HF601: an alias and its location end alike, in a slash or not. Knows no file."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.checks.law import Law, Subject, finding
from holdfast.model.finding import Finding, Severity
from holdfast.model.values import ALIAS, Value

CODE = "HF601"


def check(subject: Subject) -> Iterator[Finding]:
    """One for each alias that ends in a slash where its location does not, or the other way."""
    for hop in subject.path.hops:
        for value in hop.values:
            prefix, folder = value.setting.removeprefix(ALIAS), str(value.value)
            if prefix == value.setting:
                continue
            if folder.endswith("/") and folder.strip("/") and not prefix.endswith("/"):
                yield _outside(prefix, folder, value)
            elif prefix.endswith("/") and folder[-1:].isalnum() and not _ends_open(folder):
                yield _beside(prefix, folder, value)


def _ends_open(folder: str) -> bool:
    """Whether it ends in a variable, which may end in a slash."""
    return "$" in folder.rpartition("/")[2]


def _outside(prefix: str, folder: str, value: Value) -> Finding:
    above = folder.rstrip("/").rpartition("/")[0]
    return finding(
        CODE,
        Severity.ERROR,
        f"`location {prefix}` gives clients all of {above}/: {prefix}../x is {above}/x",
        f"write `location {prefix}/`",
        value,
        formula=f"{prefix}../x less {prefix} behind {folder} = {folder}../x",
    )


def _beside(prefix: str, folder: str, value: Value) -> Finding:
    return finding(
        CODE,
        Severity.WARNING,
        f"`location {prefix}` looks for {prefix}x in {folder}x, not in {folder}/x",
        f"write `alias {folder}/;`",
        value,
        formula=f"{prefix}x less {prefix} behind {folder} = {folder}x",
    )


LAW = Law(
    CODE,
    "an alias that serves other files than it says",
    Severity.ERROR,
    "nginx takes a location's prefix off a path and puts the alias in its place, as text. Where "
    "the location has no slash at its end and the alias has one, two dots right behind the "
    "prefix lead out of the alias's folder, and whatever lies beside it is served: sources, keys, "
    "backups. The other way around the name of a file is glued to that of the folder, and none "
    "is found but files beside it whose names begin with the folder's.",
    "the location ends in a slash just where its alias does",
    "nginx.org, alias; src/http/ngx_http_core_module.c, ngx_http_map_uri_to_path; run with 1.22.1 "
    "(tests/checks/test_clients_for_real.py)",
    "End both in a slash, or use `root` where the folder is called as the location is.",
    check,
)
