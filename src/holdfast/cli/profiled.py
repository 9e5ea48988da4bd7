"""What a plan takes from a profile's file, and what it says where the profile is of something else.

Must not know how a profile is taken, nor where a plan puts the numbers.
"""

from __future__ import annotations

import msgspec

from holdfast.cli.engines import packages_of
from holdfast.proof.profile import Cost
from holdfast.proof.profile_file import Taken, versions_here
from holdfast.proof.watch import WORKERS
from holdfast.readers.project import ProfileRow, Project


def measured_rows(project: Project, taken: Taken, path: str) -> Project:
    """The project with the profile's rows: for the workers, and for each service that it has."""

    def row(name: str, told: ProfileRow | None) -> ProfileRow:
        return profile_row(taken, name, told, path)

    services = {
        name: msgspec.structs.replace(service, profile=row(name, service.profile))
        for name, service in project.services.items()
        if name in taken.programs
    }
    return msgspec.structs.replace(
        project, profile=row(WORKERS, project.profile), services=project.services | services
    )


def profile_row(taken: Taken, name: str, told: ProfileRow | None, path: str) -> ProfileRow:
    """A program's measured row. What `told` shares beyond what was seen is added: it is a ceiling
    that the loads of a profile need not have reached."""
    cost: Cost = taken.programs[name]
    shared = cost.shared_descriptors
    more = max(0, told.shared_descriptors - shared) if told is not None else 0
    own = cost.own_descriptors if name == WORKERS or told is None else told.own_descriptors
    return ProfileRow(
        source=f"{path}, {taken.taken_at[:10]}, up to {taken.in_flight:,} in flight",
        base_bytes=cost.base_bytes,
        request_bytes=cost.request_bytes,
        idle_bytes=cost.idle_bytes,
        request_cpu_s=cost.request_cpu_s,
        own_descriptors=own + (more if name == WORKERS else 0),
        shared_descriptors=shared + more,
        version=taken.versions.get(packages_of(taken.engine)[0], "") if name == WORKERS else "",
        engine=taken.engine,
    )


def app_notes(taken: Taken, app: str) -> tuple[str, ...]:
    """Where the profile is of another app, or of other versions than those that would run here."""
    notes = []
    if app and app != taken.app:
        notes.append(f"the profile is of `{taken.app}`, the plan of `{app}`")
    here = versions_here(tuple(taken.versions))
    notes += [
        f"the profile was taken with {name} {then}, here is {here.get(name, 'none')}"
        for name, then in taken.versions.items()
        if here.get(name) != then
    ]
    return tuple(notes)
