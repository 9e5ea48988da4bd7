"""Faults as data: fault, place, hint. Only `cli/` prints them; nothing here knows a terminal."""

from __future__ import annotations


class HoldfastError(Exception):
    """Something stopped us: what (`fault`), where (`place`), and what to do about it (`hint`)."""

    exit_code = 1

    def __init__(self, fault: str, *, place: str | None = None, hint: str | None = None) -> None:
        super().__init__(fault)
        self.fault = fault
        self.place = place
        self.hint = hint


class BadInput(HoldfastError):
    """The caller asked for something that cannot be understood or is not allowed. Exit code 2."""

    exit_code = 2


class Impossible(HoldfastError):
    """No path of this shape on these hosts holds the demand. Exit code 2.

    `resource` is what is short, `missing` by how much in the resource's own unit, and `fits` the
    largest number in flight that the same hosts do hold.
    """

    exit_code = 2

    def __init__(
        self, fault: str, *, resource: str, missing: float, fits: int, hint: str | None = None
    ) -> None:
        super().__init__(fault, hint=hint)
        self.resource = resource
        self.missing = missing
        self.fits = fits
