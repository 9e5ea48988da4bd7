"""From a result to one HTML page: no script, nothing to fetch, the same bytes each time.

Every text that came from a run is escaped. Decides the order; draws and judges nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files

from holdfast.model.units import format_bytes, format_count, format_seconds
from holdfast.proof.planned import PlannedLimit, PlannedPath
from holdfast.proof.report import charts, words
from holdfast.proof.report.svg import NARROW, WIDE, theme
from holdfast.proof.result import Result

LONGEST_ERROR = 4000
"""Characters of the first error that are shown; the result's file has them all."""
TIMES = ("percent within", "response", "service", "generator lag")


def render(result: Result) -> bytes:
    """The report as HTML. Raises BadInput where matplotlib, the extra `report`, is missing."""
    with theme():
        parts = (
            _top(result),
            _in_flight(result),
            f'<div class="pair">{_times(result)}{_rates(result)}</div>',
            f'<div class="pair">{_memory(result)}{_processor(result)}</div>',
            _limits(result.planned),
            f'<div class="pair">{_requests(result)}{_trouble(result)}</div>',
            _about(result),
        )
    head = words.headline(result)
    style = files(__package__).joinpath("style.css").read_text("utf-8")
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Holdfast: {escape(head.verdict)}, {escape(head.sentence)}</title>"
        f"<style>\n{style}</style></head>\n<body>\n" + "\n".join(filter(None, parts))
    )
    return f"{page}\n</body></html>\n".encode()


def _top(result: Result) -> str:
    head = words.headline(result)
    tiles = "".join(
        f"<div><dt>{escape(what)}</dt><dd>{escape(figure)}</dd></div>"
        for figure, what in head.tiles
    )
    reasons = ""
    if result.reasons:
        shown = "".join(f"<li>{escape(_cut(reason))}</li>" for reason in result.reasons)
        reasons = f'<ul class="reasons">{shown}</ul>'
    date = escape(result.started_at.replace("T", " ").replace("+00:00", " UTC"))
    return (
        f'<header class="{head.verdict.replace(" ", "-")}">'
        f'<p class="name"><span>Holdfast: proof under load</span><span>{date}</span></p>'
        f'<div class="verdict"><div class="mark" aria-hidden="true">{words.MARKS[head.verdict]}'
        f"</div><div><h1>{escape(head.verdict.capitalize())}</h1><p>{escape(head.sentence)}</p>"
        f'</div></div><p class="detail">{escape(head.detail)}</p>{reasons}'
        f'<dl class="tiles">{tiles}</dl></header>'
    )


def _in_flight(result: Result) -> str:
    rows = ", ".join(f"{name} {count}" for name, count in words.witness_rows(result))
    what = "Least over the hold" if "hold" in result.series.phase else "Reached"
    return (
        "<section><h2>Requests in flight, by three witnesses</h2><figure>"
        f'<div class="wide">{charts.in_flight(result, "witnesses", WIDE)}</div>'
        f'<div class="narrow">{charts.in_flight(result, "witnesses-narrow", NARROW)}</div>'
        f"<figcaption>{what}: {rows}. The smallest is what is claimed.</figcaption>"
        "</figure></section>"
    )


def _times(result: Result) -> str:
    drawn = charts.percentiles(result)
    if drawn is None:
        body = "<p>Nobody was answered, so there are no times.</p>"
    else:
        rows = ([_head(row[0]), *map(_number, row[1:])] for row in words.time_rows(result))
        body = f"<figure>{drawn}</figure>" + _table(TIMES, rows)
    return f'<section class="keep"><h2>Response and service time</h2>{body}</section>'


def _rates(result: Result) -> str:
    rows = ([_head(name), _number(rate)] for name, rate in words.rate_rows(result))
    table = _table(("over the hold", "answers"), rows)
    return _figure("Answers a second", charts.rates(result), "", table)


def _memory(result: Result) -> str:
    parts = words.memory_rows(result)
    total = max(result.memory_bytes, 1)
    rows = (
        [
            _head(name),
            _number(format_bytes(size)),
            _bar(size / total, f"{round(size / total, 2) + 0.0:.0%}"),
        ]
        for name, size in parts
    )
    note = f"{format_bytes(result.memory_bytes)} more than before at the most"
    if result.planned:
        off = result.memory_bytes / max(result.planned.memory_bytes, 1) - 1
        hops = ", ".join(f"{n} {format_bytes(s)}" for n, s in result.planned.memory.items())
        note += f"; {format_bytes(result.planned.memory_bytes)} planned ({off:+.0%}): {hops}"
    if each := result.memory.bytes_per_request:
        note += f". {each:,.0f} bytes a request in the workers"
    table = _table(("part, when it was most", "growth", "of all"), rows)
    return _figure("Memory", charts.memory(result), note, table)


def _processor(result: Result) -> str:
    rows = ([_head(name), _number(used)] for name, used in words.processor_rows(result))
    table = _table(("over the hold", "used"), rows)
    return _figure("Processor", charts.processor(result), "", table)


def _limits(planned: PlannedPath | None) -> str:
    if planned is None:
        return ""
    columns = ("limit", "most used", "capacity", "used", "sure", "onset", "best")
    table = _table(columns, map(_limit_row, planned.limits), kind="cards")
    idle = f" with {planned.idle:,} idle clients beside" if planned.idle else ""
    return (
        "<section><h2>Each limit of the plan, and what was used of it</h2>"
        f"<p class='detail'>Sized for {planned.in_flight:,} clients{idle}, a mean time of "
        f"{format_seconds(planned.mean_time_s)}; narrowest first. Use is that of the fullest "
        "process, socket or address; <em>sure</em>, <em>onset</em> and <em>best</em> are requests "
        f"in flight that the limit holds.</p>{table}</section>"
    )


def _limit_row(limit: PlannedLimit) -> list[str]:
    share, scopes = words.used_share(limit), words.each(limit)
    used = "not measured" if limit.used is None else words.amount(limit.used, limit.unit)
    many = f" <small>{escape(scopes)}</small>" if scopes else ""
    bar = '<td class="wide-cell all"></td>'
    if share is not None:
        bar = _bar(share, f"{share:.0%}", "wide-cell all")
    return [
        f"<th scope='row'>{escape(limit.hop)}: {escape(limit.resource)}{many}</th>",
        f'<td class="n" data-of="most used">{escape(used)}</td>',
        f'<td class="n two" data-of="capacity">{escape(words.amount(limit.capacity, limit.unit))}'
        "</td>",
        bar,
        *(
            f'<td class="n" data-of="{name}">{escape(count)}</td>'
            for name, count in zip(("sure", "onset", "best"), words.holds(limit), strict=True)
        ),
    ]


def _requests(result: Result) -> str:
    rows = ([_head(name), _number(count)] for name, count in words.request_rows(result))
    return (
        '<section class="keep"><h2>Every request, accounted for</h2>'
        f"{_table(('requests', 'count'), rows)}</section>"
    )


def _trouble(result: Result) -> str:
    """Failures with the first error, kernel counters that moved, notes."""
    found = ["<h2>Failures and notes</h2>"]
    if result.errors:
        rows = ([_head(n), _number(f"{c:,}")] for n, c in result.errors.items())
        found.append(_table(("failure", "times"), rows, kind="long"))
    else:
        found.append("<p>No request failed.</p>")
    if result.first_error:
        found.append(f"<p>The first error:</p><pre>{escape(_cut(result.first_error))}</pre>")
    if result.counters:
        rows = ([_head(n), _number(f"+{c:,}")] for n, c in sorted(result.counters.items()))
        found.append(_table(("kernel counter that moved", "by"), rows))
    if result.notes:
        found.append(
            "<ul>" + "".join(f"<li>{escape(note)}</li>" for note in result.notes) + "</ul>"
        )
    return f"<section>{''.join(found)}</section>"


def _about(result: Result) -> str:
    rows = "; ".join(f"{name} {value}" for name, value in words.machine_rows(result))
    return (
        f"<footer><p>{escape(rows)}.</p><p>Times count from when a request should have gone; "
        "service time from when it went. Memory is what the whole machine had less of than before "
        f"anything was started. Result of version {format_count(result.version)}.</p></footer>"
    )


def _figure(title: str, drawn: str, note: str, more: str = "") -> str:
    caption = f"<figcaption>{escape(note)}</figcaption>" if note else ""
    return (
        f'<section class="keep"><h2>{escape(title)}</h2><figure>{drawn}{caption}</figure>'
        f"{more}</section>"
    )


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """A table whose cells are HTML already; the first column names the row."""
    head = "".join(
        f'<th scope="col"{"" if index == 0 else " class=n"}>{escape(title)}</th>'
        for index, title in enumerate(columns)
    )
    body = "".join(f"<tr>{''.join(cells)}</tr>" for cells in rows)
    marked = f' class="{kind}"' if kind else ""
    return f"<table{marked}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _head(text: str) -> str:
    return f'<th scope="row">{escape(text)}</th>'


def _number(text: str) -> str:
    return f'<td class="n">{escape(text)}</td>'


def _bar(share: float, text: str, kind: str = "wide-cell") -> str:
    """A bar of `share` (0 to 1) with its number as text; past 1 it is hatched."""
    full = " full" if share > 1 else ""
    width = min(max(share, 0.0), 1.0)
    return (
        f'<td class="{kind}"><div class="share"><span class="bar{full}">'
        f'<i style="width:{width:.1%}"></i></span><small>{escape(text)}</small></div></td>'
    )


def _cut(text: str) -> str:
    """A text of bounded length, saying how much is left out."""
    left = len(text) - LONGEST_ERROR
    return text if left <= 0 else f"{text[:LONGEST_ERROR]} ... ({left:,} more characters)"
