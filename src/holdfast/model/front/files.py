"""Folders that the edge serves by itself: the rows `[[edge.files]]`. No behaviour but refusals."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from holdfast.model.front.units import Seconds

Prefix = Annotated[str, Meta(pattern=r"^/([A-Za-z0-9_~-][A-Za-z0-9._~-]*/)*$")]
"""A part of URLs from their start, with a slash at both ends: what begins so, and no `..`."""
Name = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f$\"\\]+$")]
"""A path that every program can write down: no control, quote, backslash or `$`."""


class Files(Struct, frozen=True, forbid_unknown_fields=True):
    """A folder under a URL: static files that a build has made, or media that users brought."""

    url: Annotated[
        Prefix,
        Meta(description="URLs that begin so are files of the folder; with a slash at both ends."),
    ]
    folder: Annotated[
        Name, Meta(description="A relative path starts at the folder of holdfast.toml.")
    ]
    expires: Annotated[
        Seconds,
        Meta(
            description="How long clients may keep a file without asking (`Cache-Control: max-age` "
            "and `Expires`); 0 says nothing of it, and they ask by date or ETag."
        ),
    ] = 0.0
    immutable: Annotated[
        bool,
        Meta(
            description="A file of that name never changes (its name has a hash of it): clients do "
            "not even ask when they reload."
        ),
    ] = False
    symlinks: Annotated[
        bool,
        Meta(
            description="Links in the folder are followed, those whose owner is the file's; off, "
            "none is."
        ),
    ] = False
    outside: Annotated[
        bool,
        Meta(
            description="The folder may lie outside of the one of holdfast.toml; without it that "
            "is refused."
        ),
    ] = False
    precompressed: Annotated[
        bool,
        Meta(
            description="Where `name.gz` lies beside a file, it is what clients get who take gzip."
        ),
    ] = False
    download: Annotated[
        bool,
        Meta(
            description="Browsers save the file and show nothing of it: for what users brought, "
            "which may be a page with scripts."
        ),
    ] = False

    def __post_init__(self) -> None:
        if self.url == "/":
            raise ValueError("`url` of `/` leaves nothing to the app")
        if self.immutable and not self.expires:
            raise ValueError("`immutable` needs `expires`, the time for which it is true")
