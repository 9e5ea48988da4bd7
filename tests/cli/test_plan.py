"""`holdfast plan`: what it prints, as people and programs read it."""

from __future__ import annotations

import json

import pytest

from tests.cli.run import SHOP, holdfast

ASKED = ("plan", "shop:app", "--app-dir", SHOP, "-n", "20k", "--mean-time", "20s")


def test_a_plan_names_its_walls_values_and_formulas() -> None:
    """The table has sure, onset and best, the narrowest is marked, each value has its source."""
    done = holdfast(*ASKED, "--explain")
    assert done.returncode == 0, done.stderr
    assert "20,000 requests in flight" in done.stdout
    assert "1,000 answers a second" in done.stdout
    assert any(line.startswith("> ") and "sure" not in line for line in done.stdout.splitlines())
    for word in (
        "sure",
        "onset",
        "best",
        "narrowest",
        "memory:",
        "derived:",
        "measured:",
        "enforced by:",
    ):
        assert word in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_a_plan_as_json_holds_what_was_asked() -> None:
    """`--json`: holds, narrowest, walls and every hop's values with source and reason."""
    plan = json.loads(holdfast(*ASKED, "--json").stdout)
    assert plan["asked"] == 20_000
    assert plan["holds"]["sure"] >= 20_000
    assert plan["narrowest"] == plan["walls"][0]
    assert plan["memory_bytes"] > 20_000 * 10_000
    values = [value for hop in plan["hops"] for value in hop["values"]]
    assert all(value["why"] for value in values)
    assert {"nofile", "backlog", "workers"} <= {value["setting"] for value in values}


def test_an_app_that_was_never_measured_is_assumed() -> None:
    """Without a holdfast.toml every number of the app's cost is said to be assumed."""
    plan = json.loads(holdfast("plan", "-n", "1k", "--json").stdout)
    assumed = {value["setting"] for value in plan["assumed"]}
    assert {"request_bytes", "base_bytes", "request_cpu_s"} <= assumed


@pytest.mark.parametrize(
    ("words", "fault", "place"),
    [
        (("plan", "-n", "-5"), "`-5` is not a count", "--in-flight"),
        (("plan", "-n", "0"), "not a positive whole number", "--in-flight"),
        (("plan", "-n", "50kk"), "`50kk` is not a count", "--in-flight"),
        (("plan",), "Missing option", ""),
        (("plan", "-n", "5", "--app-dir", "/nowhere"), "no folder `/nowhere`", "--app-dir"),
        (("plan", "-n", "5", "--config", "/nowhere"), "no file `/nowhere`", "--config"),
        (("plan", "-n", "5", "--mean-time", "0"), "mean time of zero", "--mean-time"),
        (("plan", "-n", "5", "--mean-time", "soon"), "not a duration", "--mean-time"),
        (("fly",), "`fly` is not a command", ""),
        (("plam",), "`plam` is not a command", "did you mean `holdfast plan`?"),
        (("plan", "shop", "-n", "5"), "`shop` names no app", "APP"),
        (("plan", "-n", "5", "--cores", "2"), "needs its cores and its memory", "--memory"),
        (("plan", "-n", "5", "--memory", "much"), "not a size in bytes", "--memory"),
    ],
)
def test_bad_input_is_fault_place_and_hint(words: tuple[str, ...], fault: str, place: str) -> None:
    """Exit code 2, the fault and its place on stderr, nothing on stdout, no traceback."""
    done = holdfast(*words)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert fault in done.stderr
    assert place in done.stderr
    assert "hint: " in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_plan_for_another_host_reads_nothing_of_this_one() -> None:
    """What is told is written, the rest is Debian 12's default and said to be assumed."""
    words = ("--cores", "16", "--memory", "32GiB", "--nofile", "20k", "--json")
    plan = json.loads(holdfast("plan", "-n", "50k", *words).stdout)
    host = {value["setting"]: value for value in plan["host"]["values"]}
    assert (plan["host"]["cores"], plan["host"]["memory_bytes"]) == (16, 32 * 2**30)
    assert {value["source"] for value in host.values()} == {"written", "assumed"}
    assert (host["nofile_hard"]["value"], host["nofile_hard"]["source"]) == (20_000, "written")
    assert host["somaxconn"] in plan["assumed"]


def test_a_plan_fits_a_screen_and_explains_on_request() -> None:
    """The short form has at most 40 lines, and says how to see where each number comes from."""
    done = holdfast(*ASKED, "--idle", "5k")
    assert done.stdout.count("\n") <= 40
    assert done.stdout.endswith("--explain\n")


@pytest.mark.slow
@pytest.mark.beside
def test_more_than_the_machine_can_hold_says_what_it_can() -> None:
    """An impossible number is exit code 2; nine tenths of the number in its hint are possible."""
    refused = holdfast("plan", "-n", "900M")
    assert refused.returncode == 2
    fits = refused.stderr.split("hint: ")[1].split(" ")[0]
    enough = int(fits.replace(",", "")) * 9 // 10  # free memory moves between two runs
    assert holdfast("plan", "-n", str(enough)).returncode == 0


@pytest.mark.parametrize("command", ["plan", "tune", "up", "prove", "demo"])
def test_each_command_explains_itself_with_examples(command: str) -> None:
    """`--help` fits 80 columns and shows at least two example lines."""
    done = holdfast(command, "--help")
    assert done.returncode == 0
    assert done.stdout.count(f"  holdfast {command}") >= 2
    assert max(map(len, done.stdout.splitlines())) <= 80
