"""`holdfast explain CODE`: what a code of an audit means. Reads the table of laws, and no file."""

from __future__ import annotations

from difflib import get_close_matches

import click

from holdfast.checks.catalog import LAWS
from holdfast.checks.law import Law
from holdfast.cli import say
from holdfast.model.errors import BadInput


@click.command()
@click.argument("code", default="")
@click.option("--markdown", is_flag=True, help="As the page of the documentation.")
def explain(code: str, markdown: bool) -> int:
    """What a code of `holdfast audit` means.

    The law, its formula, its source, and how to mend it; without a code, all of them.

    \b
    holdfast explain
    holdfast explain HF104
    """
    if not code:
        _show_all(markdown=markdown)
        return 0
    law = LAWS.get(code.upper())
    if law is None:
        near = get_close_matches(code.upper(), LAWS, n=1)
        hint = f"did you mean `{near[0]}`?" if near else "see all with `holdfast explain`"
        raise BadInput(f"there is no code `{code}`", hint=hint)
    if markdown:
        _write_page(law)
    else:
        _show(law)
    return 0


def _show(law: Law) -> None:
    say.text(f"{law.code}: {law.title} ({law.severity.value})", style="bold")
    for head, body in _parts(law):
        say.text()
        say.item(f"{head}: ", body)


def _parts(law: Law) -> tuple[tuple[str, str], ...]:
    return (
        ("meaning", law.meaning),
        ("formula", law.formula),
        ("source", law.source),
        ("to mend it", law.mend),
    )


def _write_page(law: Law) -> None:
    say.out.print(f"{law.title[0].upper()}{law.title[1:]} ({law.severity.value}).", markup=False)
    for head, body in _parts(law):
        say.out.print(f"\n**{head[0].upper()}{head[1:]}**: {body}", markup=False, soft_wrap=True)


def _show_all(*, markdown: bool) -> None:
    if not markdown:
        for law in LAWS.values():
            say.item(f"{law.code}  ", f"{law.title} ({law.severity.value})")
        return
    say.out.print("| code | severity | what it says |\n|---|---|---|", markup=False)
    for law in LAWS.values():
        row = f"| [{law.code}]({law.code}.md) | {law.severity.value} | {law.title} |"
        say.out.print(row, markup=False, soft_wrap=True)
