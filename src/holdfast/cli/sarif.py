"""Findings as SARIF 2.1.0, which code hosts and editors read. Decides nothing, prints nothing.

From the OASIS standard (sarif-v2.1.0-errata01): a fix has artifactChanges with replacements, each
with a deletedRegion; offsets of a region are bytes, its lines count from 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from holdfast import __version__
from holdfast.checks.catalog import LAWS
from holdfast.model.finding import Finding, Severity
from holdfast.model.values import Place

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}
ROOT = "SRCROOT"
"""What file names are relative to."""


def sarif(findings: Iterable[Finding]) -> dict[str, Any]:
    """One run with a rule for each code that occurs, and a result for each finding."""
    found = list(findings)
    codes = sorted({finding.code for finding in found})
    index = {code: number for number, code in enumerate(codes)}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "holdfast",
                        "version": __version__,
                        "rules": [_rule(code) for code in codes],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "originalUriBaseIds": {ROOT: {"description": {"text": "where audit was run"}}},
                "results": [_result(finding, index[finding.code]) for finding in found],
            }
        ],
    }


def _rule(code: str) -> dict[str, Any]:
    law = LAWS.get(code)
    if law is None:
        return {"id": code, "shortDescription": {"text": "what a reader of a file found"}}
    return {
        "id": code,
        "shortDescription": {"text": law.title},
        "fullDescription": {"text": law.meaning},
        "help": {"text": f"{law.formula}\n\n{law.mend}\n\n{law.source}"},
        "defaultConfiguration": {"level": LEVELS[law.severity]},
    }


def _result(finding: Finding, index: int) -> dict[str, Any]:
    text = f"{finding.message} ({finding.hint})" if finding.hint else finding.message
    first, *more = finding.places or (None,)
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": index,
        "level": LEVELS[finding.severity],
        "message": {"text": text},
        "locations": [] if first is None else [_location(first)],
    }
    if more:
        result["relatedLocations"] = [_location(place) for place in more if place is not None]
    if finding.edits:
        result["fixes"] = [_fix(finding)]
    return result


def _location(place: Place) -> dict[str, Any]:
    region = {"startLine": place.line, **_bytes(place)}
    return {"physicalLocation": {"artifactLocation": _artifact(place.file), "region": region}}


def _artifact(file: str) -> dict[str, Any]:
    name = quote(file)
    return {"uri": f"file://{name}"} if file.startswith("/") else {"uri": name, "uriBaseId": ROOT}


def _bytes(place: Place) -> dict[str, int]:
    return {"byteOffset": place.start, "byteLength": place.end - place.start}


def _fix(finding: Finding) -> dict[str, Any]:
    files = dict.fromkeys(edit.place.file for edit in finding.edits)
    return {
        "description": {"text": finding.hint},
        "artifactChanges": [
            {
                "artifactLocation": _artifact(file),
                "replacements": [
                    {
                        "deletedRegion": _bytes(edit.place),
                        "insertedContent": {"text": edit.text},
                    }
                    for edit in finding.edits
                    if edit.place.file == file
                ],
            }
            for file in files
        ],
    }
