"""The report: one page that needs nothing else, says what the result says, and escapes it."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from holdfast.model.errors import BadInput
from holdfast.proof.report import charts, words
from holdfast.proof.report.page import LONGEST_ERROR, render
from holdfast.proof.report.svg import spread
from holdfast.proof.result import Result, read_result
from tests.proof.reported import by_rate, empty, held, never_began, replace, series

pytestmark = pytest.mark.beside

pytest.importorskip("matplotlib", reason="the extra `report` is not installed")

RESULTS = Path(__file__).parents[2] / "bench" / "results"
EVERY = {
    "held": held(),
    "ten": held(series=series(2, 6, 2)),
    "long": held(series=series(500, 1400, 100)),
    "never": never_began(),
    "empty": empty(),
    "by rate": by_rate(),
    "void": held(verdict="void", reasons=["a generator process died"], planned=None),
}
every = pytest.mark.parametrize("result", EVERY.values(), ids=EVERY)
drawn = pytest.mark.slow
"""matplotlib takes most of a second to import, and a page a third of one to draw."""


class Page(HTMLParser):
    """Collects elements, ids, references and text; fails on an element that is closed wrongly."""

    def __init__(self, result: Result) -> None:
        super().__init__()
        self.source = render(result).decode()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.outside: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(self.source)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag != "meta":
            self._open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "xlink:href") and not (value or "").startswith("#"):
                self.outside.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@drawn
@every
def test_a_report_is_one_whole_page_that_needs_nothing_else(result: Result) -> None:
    """Elements close, ids are unique and found, and nothing is run or fetched."""
    page = Page(result)
    assert len(page.ids) == len(set(page.ids))
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert page.outside == []
    assert "@import" not in page.source
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', page.source))
    assert used <= set(page.ids)
    assert re.findall(r"url\((?!#)", page.source) == []
    assert len(page.source) < 400_000


@drawn
@every
def test_the_verdict_its_figures_and_reasons_come_first(result: Result) -> None:
    """The verdict, what was asked and reached, and every reason stand before the first chart."""
    first = html.unescape(render(result).decode().split("<svg")[0])
    assert f"<h1>{result.verdict.capitalize()}</h1>" in first
    claim = f"{result.held:,} in flight" if result.open_loop is None else "1,000 were asked"
    assert claim in first
    assert f"{result.asked:,} were asked" in first
    assert [reason for reason in result.reasons if reason not in first] == []


@drawn
@every
def test_every_chart_tells_who_cannot_see_it(result: Result) -> None:
    """Each SVG has a role, a title and a description that it is labelled by, and no date."""
    found = re.findall(r"<svg.*?</svg>", render(result).decode(), re.DOTALL)
    assert len(found) == (6 if result.histograms.response else 5)
    for svg in found:
        assert re.match(r'<svg viewBox="[\d ]+" role="img" aria-labelledby="\S+ \S+">', svg)
        assert re.search(r"<title id=\S+>[^<]+</title><desc id=\S+>[^<]+</desc>", svg)
        assert "<metadata" not in svg


@drawn
@every
def test_the_same_result_gives_the_same_bytes(result: Result) -> None:
    """Drawing twice gives the same page."""
    assert render(result) == render(result)


@drawn
def test_another_process_draws_the_same_bytes(tmp_path: Path) -> None:
    """The bytes depend on the result alone: not on the seed of hashes, nor on the user's style."""
    rc = "font.size: 30\naxes.facecolor: red\nlines.marker: x\nsvg.fonttype: path\n"
    (tmp_path / "matplotlibrc").write_text(rc)
    code = (
        "import sys; from tests.proof.reported import held;"
        "from holdfast.proof.report.page import render; sys.stdout.buffer.write(render(held()))"
    )
    folder = Path(__file__).parents[2]
    paths = ":".join(p for p in sys.path if p)
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        cwd=folder,
        env={"PYTHONPATH": paths, "PYTHONHASHSEED": "7", "MPLCONFIGDIR": str(tmp_path)},
        timeout=120,
    )
    assert done.stdout == render(held())


def test_a_run_by_rate_is_headed_by_its_rate() -> None:
    """What was asked and what was answered a second comes first, and how late requests went."""
    head = words.headline(by_rate())
    assert head.sentence == (
        "1,000 requests a second answered for 20 s; 1,000 were asked, poisson arrivals"
    )
    assert "in flight" not in head.sentence + head.detail
    assert ("99 % went late by", "500 us") in words.request_rows(by_rate())


@drawn
def test_text_of_a_run_is_escaped_and_cut() -> None:
    """A script in an error stays text, and an endless one says how much is left out."""
    page = Page(never_began())
    assert "<script>alert('x')</script> &" in page.text
    assert "<script" not in page.source
    left = len(never_began().first_error or "") - LONGEST_ERROR
    assert f"({left:,} more characters)" in page.text


@drawn
def test_each_limit_stands_beside_its_use() -> None:
    """The table has each limit's use and capacity, its share, and what nobody measured."""
    text = Page(held()).text
    for told in ("workers: descriptors", "each of 2", "1,090", "1,100", "99%", "125%"):
        assert told in text
    assert "not measured" in text
    assert "unlimited" in text
    assert "Each limit" not in Page(never_began()).text


@drawn
def test_without_answers_there_is_no_chart_of_times() -> None:
    """A run that nobody answered says so in place of percentiles."""
    assert "Nobody was answered" in Page(never_began()).text
    assert charts.percentiles(never_began()) is None


def test_labels_at_line_ends_keep_apart_and_inside() -> None:
    """Labels that would touch are moved by as little as it takes, and none leaves the top."""
    assert spread([0.1, 0.5], 0.1) == [0.1, 0.5]
    assert spread([0.5, 0.5], 0.25) == [0.5, 0.75]
    assert spread([0.9, 1.0, 1.0], 0.25) == [0.5, 0.75, 1.0]
    assert spread([], 0.1) == []


def test_a_tail_axis_spreads_the_tail() -> None:
    """Ninety of a hundred lie at 1, ninety-nine at 2, and the last at the count's end."""
    x, y = charts.tail({10: 90, 20: 9, 30: 1})
    assert [round(at, 9) for at in x] == [0.0, 1.0, 2.0, 2.0]
    assert y == sorted(y)


def test_phases_follow_each_other() -> None:
    """Each phase begins where the one before ended, and the last at the end of the run."""
    found = list(charts.phases(series(3, 5, 2)))
    assert found == [("opening", 0.0, 3.0), ("hold", 3.0, 8.0), ("letting go", 8.0, 10.0)]
    assert list(charts.phases(series(0, 0, 0))) == []


def test_stacked_memory_is_what_was_used() -> None:
    """Parts sum to the whole machine's growth, none is negative; without parts there is one."""
    parts = charts.stacked(series(1, 3, 0))
    assert [sum(row) for row in zip(*parts.values(), strict=True)] == series(1, 3, 0).memory_bytes
    assert min(min(column) for column in parts.values()) == 0
    assert set(charts.stacked(replace(series(1, 3, 0), memory_parts={}))) == {"workers"}


def test_parts_of_memory_sum_to_the_whole() -> None:
    """The table of parts adds up to the largest growth."""
    result = held()
    memory = result.memory
    whole = memory.workers + memory.kernel + memory.generator + memory.other
    assert sum(size for _, size in words.memory_rows(result)) == whole


@drawn
def test_the_results_of_the_repository_can_be_drawn() -> None:
    """Files of before the plan was kept make a report without limits."""
    for path in sorted(RESULTS.glob("demo-*.json")):
        assert b"</html>" in render(read_result(str(path)))


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing library is bad input that says what to install."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(BadInput, match="not installed") as caught:
        render(held())
    assert "holdfast[report]" in (caught.value.hint or "")
