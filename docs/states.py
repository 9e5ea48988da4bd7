"""Prints the picture of a slot's states, and the table that it is drawn from: `policy.slots.TABLE`.

For docs/operate/states.md. Knows what each state and each happening is called for people, no more.
"""

from __future__ import annotations

from typing import Final

from holdfast.policy.slots import LIVE, TABLE, Happening, State

STATES: Final = {
    State.EMPTY: "nothing has been started in it",
    State.STARTING: "its newest worker imports the app; one that it is to follow serves on",
    State.READY: "its worker has answered on its own socket, and takes requests",
    State.DRAINING: "its worker takes no more, and finishes what it holds",
    State.BACKOFF: "its worker died; the next one starts after a while",
    State.GONE: "nobody wants it",
}
HAPPENINGS: Final = {
    Happening.START: "a worker is started",
    Happening.ANSWER: "it answers its supervisor for the first time",
    Happening.REPLACE: "a second worker starts beside the first one: a reload, its age, its memory",
    Happening.RESTORE: "that second one died before it answered: the first one serves on",
    Happening.STOP: "the slot is wanted no more: scale, drain, down",
    Happening.DIE: "its process has ended, whatever for",
}


def main() -> None:
    """Print the picture, then what its words mean, then the table."""
    print("```mermaid\nstateDiagram-v2")
    print(f"    [*] --> {State.EMPTY.value}")
    for (before, happening), state in TABLE.items():
        print(f"    {before.value} --> {state.value}: {happening.value}")
    print("```\n\n| state | a process | meaning |\n|---|---|---|")
    for state in State:
        print(f"| {state.value} | {'yes' if state in LIVE else 'no'} | {STATES[state]} |")
    print("\n| happening | meaning |\n|---|---|")
    for happening in Happening:
        print(f"| {happening.value} | {HAPPENINGS[happening]} |")
    print(f"\n| from | {' | '.join(each.value for each in Happening)} |")
    print(f"|---{'|---' * len(Happening)}|")
    for state in State:
        to = (TABLE.get((state, happening)) for happening in Happening)
        print(f"| {state.value} | {' | '.join(each.value if each else '' for each in to)} |")


if __name__ == "__main__":
    main()
