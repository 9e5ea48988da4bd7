"""A shell's text as words: quotes, variables, and that no variable doubles for ever."""

from __future__ import annotations

import pytest

from holdfast.readers.said import Said
from holdfast.readers.shell import MOST_CHARS, commands, words
from holdfast.readers.text import Text


def said(chars: str) -> Said:
    """A text of its own."""
    return Said.of(Text("run.sh", chars), 0, len(chars))


@pytest.mark.parametrize(
    ("line", "means"),
    [
        ("a 'b c' \"d e\"", ["a", "b c", "d e"]),
        ("a\\ b c\\\n d", ["a b", "c", "d"]),
        ("a # b", ["a"]),
        ("$X ${X} ${Y:-z} '$X' \"$X\" $Y", ["1", "1", "z", "$X", "1", "$Y"]),
        ("-w=$X-$X $(nproc --all)", ["-w=1-1", "$(nproc --all)"]),
    ],
)
def test_a_line_is_the_words_that_a_shell_makes_of_it(line: str, means: list[str]) -> None:
    """Quotes are undone, blanks in them kept, known variables put in, comments left out."""
    assert [word.chars for word in words(said(line), {"X": said("1")})] == means


def test_commands_are_told_apart_and_assignments_last() -> None:
    """`&&`, `;` and ends of lines end a command; a variable that is set counts from then on."""
    found, known = commands(said("A=1 B=2; export C=$A\nrun $A && D=4 run $C # no\n(run $B | tee)"))
    assert [[word.chars for word in each] for each in found] == [
        ["run", "1"],
        ["run", "1"],
        ["run", "2"],
        ["tee"],
    ]
    assert "".join(f"{name}{value.chars}" for name, value in known.items()) == "A1B2C1D4"


def test_a_word_stands_where_it_is_written() -> None:
    """An option's argument has its own span, and a variable's that of where it was set."""
    text = Text("run.sh", "N=12\nrun --workers=34 -w$N -b '0.0.0.0:80'")
    (run,), _ = commands(Said.of(text, 0, len(text.said)))
    at = [text.at(part.place) for part in (run[1].cut(10), run[2].cut(2), run[4], run[4].cut(8))]
    assert at == ["34", "12", "'0.0.0.0:80'", "80"]


def test_a_variable_that_doubles_itself_ends() -> None:
    """A thousand doublings make a word of bounded length."""
    found, _ = commands(said("A=12\n" + "A=$A$A\n" * 1_000 + "run $A"))
    assert 2 < len(found[0][1]) <= MOST_CHARS
