"""One chart as inline SVG: theme, phases, labels at line ends. Knows no result.

matplotlib draws with stand-in colours, which become variables of the page's style, so that one
drawing serves light, dark and paper. The same data gives the same bytes: no date, salted ids.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from holdfast.model.errors import BadInput

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROLES: Final = ("ink", "soft", "grid", "band", "back", "c1", "c2", "c3", "c4", "c5", "c6")
"""What a colour is for: text, less of it, lines of the grid, the hold, the ground, six series."""
COLORS: Final = {role: f"#0a0b{index:02x}" for index, role in enumerate(ROLES)}
"""Stand-ins that matplotlib writes; `COLORS["c1"]` becomes `var(--c1)`."""
FONT, SMALL = 11, 10
LEFT, BOTTOM, TOP, LABEL_ROOM = 52, 40, 24, 84
"""Points around the axes; those to the right are for the labels at line ends."""
NARROW: Final = (420, 262)
WIDE: Final = (880, 300)
MANY: Final = 60
"""Points in a series above which single ones are not marked."""
_STYLE: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "font.size": FONT,
    "text.color": COLORS["ink"],
    "axes.labelcolor": COLORS["soft"],
    "axes.edgecolor": COLORS["grid"],
    "axes.linewidth": 1.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": COLORS["grid"],
    "grid.linewidth": 0.8,
    "xtick.color": COLORS["grid"],
    "ytick.color": COLORS["grid"],
    "xtick.labelcolor": COLORS["soft"],
    "ytick.labelcolor": COLORS["soft"],
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "figure.dpi": 72,
}


Dashes = Literal["-", "--", ":"]


class Line(msgspec.Struct, frozen=True):
    """A label at a line's end: where the line is there, what it says, and how the line looks."""

    y: float
    text: str
    role: str
    dashes: Dashes = "-"
    width: float = 1.8


@contextmanager
def theme() -> Iterator[None]:
    """Draw in our style while it lasts, whatever a matplotlibrc of the user says.

    Raises BadInput where matplotlib is not installed.
    """
    check_drawable()
    from matplotlib import style

    with style.context(["default", _STYLE]):
        yield


class Chart:
    """One chart of `size` points; it lives within `theme`."""

    def __init__(self, name: str, size: tuple[int, int] = NARROW) -> None:
        from matplotlib.figure import Figure

        self.name, self.size = name, size
        self._lines: list[Line] = []
        self._figure = Figure(figsize=(size[0] / 72, size[1] / 72))
        width, height = size[0] - LEFT - LABEL_ROOM, size[1] - BOTTOM - TOP
        place = (LEFT / size[0], BOTTOM / size[1], width / size[0], height / size[1])
        self.axes: Axes = self._figure.add_axes(place)
        self._width, self._height = width, height

    def titles(self, x: str, y: str) -> None:
        """Name both axes, with their units."""
        self.axes.set_xlabel(x)
        self.axes.set_title(y, loc="left", fontsize=FONT, color=COLORS["soft"], pad=9)

    def line(self, x: Sequence[float], y: Sequence[float | None], end: Line) -> None:
        """Draw a series through the values that are there, and remember its label.

        Single values are marked where they are few, or where most are missing.
        """
        known = [(at, value) for at, value in zip(x, y, strict=True) if value is not None]
        if not known:
            return
        sparse = len(known) < MANY or len(known) < len(y) / 2
        self.axes.plot(
            *zip(*known, strict=True),
            color=COLORS[end.role],
            linestyle=end.dashes,
            linewidth=end.width,
            marker="o" if sparse and len(known) <= 4 * MANY else None,
            markersize=3.2,
        )
        self._lines.append(end)

    def level(self, end: Line) -> None:
        """A dashed line across at one value, with its label."""
        self.axes.axhline(
            end.y, color=COLORS[end.role], linestyle=end.dashes, linewidth=end.width, zorder=1.5
        )
        self._lines.append(end)

    def label(self, end: Line) -> None:
        """A label at the right without a line of its own, such as an area's."""
        self._lines.append(end)

    def band(self, start: float, end: float, text: str, *, shaded: bool) -> None:
        """A stretch of x: shaded where it is what matters, and named where there is room."""
        if shaded:
            self.axes.axvspan(start, end, color=COLORS["band"], linewidth=0, zorder=0)
        low, high = self.axes.get_xlim()
        room = (end - start) / (high - low) * self._width
        if room > len(text) * SMALL * 0.6:
            self.axes.text(
                (start + end) / 2,
                0.985,
                text,
                transform=self.axes.get_xaxis_transform(),
                ha="center",
                va="top",
                color=COLORS["soft"],
                fontsize=SMALL,
            )

    def svg(self, title: str, what: str) -> str:
        """The drawing as an SVG element; `title` and `what` are for those who cannot see it."""
        import matplotlib

        self._draw_labels()
        drawn = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        with matplotlib.rc_context({"svg.hashsalt": self.name}):
            self._figure.savefig(drawn, format="svg", transparent=True, metadata=nothing)
        return _inline(drawn.getvalue(), self.name, self.size, title, what)

    def _draw_labels(self) -> None:
        """Each label beside its line's end; those that would touch are moved apart."""
        from matplotlib.lines import Line2D

        gap = (FONT + 3) / self._height
        lines = sorted(self._lines, key=lambda line: line.y)
        places = [self._fraction(line.y) for line in lines]
        for line, place in zip(lines, spread(places, gap), strict=True):
            start, end = 1 + 5 / self._width, 1 + 19 / self._width
            self.axes.add_line(
                Line2D(
                    (start, end),
                    (place, place),
                    transform=self.axes.transAxes,
                    color=COLORS[line.role],
                    linestyle=line.dashes,
                    linewidth=line.width,
                    clip_on=False,
                )
            )
            self.axes.text(
                end + 4 / self._width,
                place,
                line.text,
                transform=self.axes.transAxes,
                va="center_baseline",
                color=COLORS["ink"],
                fontsize=SMALL,
            )

    def _fraction(self, y: float) -> float:
        """Where a value lies between the ends of the y axis, 0 to 1."""
        to_axes = self.axes.transData + self.axes.transAxes.inverted()
        return float(min(max(to_axes.transform((self.axes.get_xlim()[0], y))[1], 0.0), 1.0))


def check_drawable() -> None:
    """Raise BadInput where matplotlib is not installed; costs next to nothing."""
    if "matplotlib" in sys.modules and sys.modules["matplotlib"] is not None:
        return
    try:
        found = find_spec("matplotlib")
    except ValueError:  # an entry of sys.modules that says there is none
        found = None
    if found is None:
        raise BadInput(
            "a report is drawn by matplotlib, which is not installed",
            hint="install the extra: `pip install 'holdfast[report]'`",
        )


def spread(places: Sequence[float], gap: float) -> list[float]:
    """Sorted places moved apart to `gap`, as little as it takes, and kept below 1 if they can."""
    found = list(places)
    for index in range(1, len(found)):
        found[index] = max(found[index], found[index - 1] + gap)
    ceiling = 1.0
    for index in reversed(range(len(found))):
        found[index] = min(found[index], ceiling)
        ceiling = found[index] - gap
    return found


def _inline(drawn: str, name: str, size: tuple[int, int], title: str, what: str) -> str:
    """matplotlib's file as an element of a page: no prolog, ids of its own, the page's colours."""
    body = re.sub(r"^.*?<svg [^>]*>", "", drawn, count=1, flags=re.DOTALL).replace("</svg>", "")
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", body, flags=re.DOTALL)
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', body))
    body = re.sub(r' id="([^"]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", body)
    body = re.sub(r'(url\(#|href="#)', rf"\g<1>{name}-", body)
    body = re.sub(r"<!--.*?-->\s*", "", body, flags=re.DOTALL)
    body = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", body)
    for role, color in COLORS.items():
        body = body.replace(color, f"var(--{role})")
    body = re.sub(r"<[^>]*>", lambda tag: re.sub(r"(\d\.\d\d)\d+", r"\1", tag[0]), body)
    body = re.sub(r"\n\s*", "\n", body)
    return (
        f'<svg viewBox="0 0 {size[0]} {size[1]}" role="img" aria-labelledby="{name}-t {name}-d">'
        f'<title id="{name}-t">{escape(title)}</title><desc id="{name}-d">{escape(what)}</desc>'
        f"{body.strip()}</svg>"
    )
