"""`holdfast audit --live PID` of real stacks, as who started them and nobody more.

What it says of a stack is what the stack then does.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from holdfast.model.tuning import Keeper
from holdfast.programs.tunables import PORT_RANGE, TUNABLES
from tests.cli.run import UNPRIVILEGED, holdfast
from tests.cli.test_up import serving as up
from tests.edges import INSTALLED, PROGRAMS
from tests.helpers import free_port, wait_until
from tests.law3.crowd import Crowd
from tests.programs.test_servers import Serving, serving

GEVENT = ["gunicorn", "--no-control-socket", "-b", "127.0.0.1:PORT", "-w", "2", "-k", "gevent"]
UVICORN = ["uvicorn", "--port", "PORT", "--workers", "2", "--limit-concurrency", "50"]
NGINX = """\
user root; daemon off; pid nginx.pid; worker_processes 1; worker_rlimit_nofile 200;
events {{ worker_connections {connections}; }}
http {{
  access_log off; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f;
  uwsgi_temp_path u; scgi_temp_path s;
  upstream app {{ server 127.0.0.1:{app}; }}
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://app; }} }}
}}
"""
pytestmark = [pytest.mark.slow, pytest.mark.beside]
needs_nginx = pytest.mark.skipif(not INSTALLED["nginx"], reason="nginx is not installed")
EXCESS = 8
GROUPS = ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup")
OTHERS = os.getpid() if os.geteuid() == 0 else 1
"""A process that may more than the command may."""


def audited(pid: int, *words: str | Path) -> Any:
    """What the command says as JSON, run without any capability."""
    done = holdfast("audit", "--live", str(pid), *map(str, words), "--json", before=UNPRIVILEGED)
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


def codes(answer: Any) -> list[str]:
    return [finding["code"] for finding in answer["findings"]]


@contextmanager
def nginx(folder: Path, app: int | str, connections: int) -> Iterator[tuple[int, int, Path]]:
    """Yield the process, port and file of an nginx that passes on to a port."""
    port, file = free_port(), folder / "edge.conf"
    file.write_text(NGINX.format(port=port, app=app, connections=connections))
    argv = [str(INSTALLED["nginx"]), "-p", str(folder), "-e", "stderr", "-c", "edge.conf"]
    with subprocess.Popen([*UNPRIVILEGED, *argv], stderr=subprocess.DEVNULL) as edge:
        try:
            wait_until(lambda: children(edge.pid), what="nginx has a worker")
            yield edge.pid, port, file
        finally:
            edge.terminate()


def children(pid: int) -> list[int]:
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def fill(run: Serving, crowd: Crowd, best: int) -> None:
    """Ask one by one until `best` are in flight, then more: not one of them is let in."""
    for asked in range(1, best + 1):
        crowd.ask(1)
        run.wait(
            lambda n=asked: crowd.step() or run.notes.in_flight() == n, f"{asked} are in flight"
        )  # type: ignore[misc]
    crowd.ask(EXCESS)

    def settled() -> bool:
        crowd.step()
        return crowd.failed + run.in_queue() >= EXCESS

    run.wait(settled, "the others wait or have failed")
    assert run.notes.in_flight() == best


def test_descriptors_of_a_running_gunicorn_are_what_it_holds() -> None:
    """Small limits of who starts it are read from /proc, and so many requests are in flight."""
    argv = [*GEVENT, "--worker-connections", "1000", "held_app:wsgi"]
    with serving(argv, 2, nofile=40, before=UNPRIVILEGED) as run:
        answer = audited(run.process.pid, "--target", "1k")
        narrowest, best = answer["narrowest"], answer["holds"]["best"]
        told = (narrowest["program"], narrowest["setting"], narrowest["value"])
        assert told == ("gunicorn", "nofile", 40)
        worker = int(narrowest["why"].split("/")[2])
        assert (narrowest["source"], worker in children(run.process.pid)) == ("observed", True)
        assert narrowest["why"] == f"/proc/{worker}/limits"
        assert "HF101" in codes(answer)
        assert audited(worker)["holds"] == answer["holds"]
        run.crowd.ask(best + EXCESS)
        run.wait(lambda: run.notes.in_flight() == best, f"{best} are in flight")
        assert audited(worker)["holds"] == answer["holds"]  # clients are not its own
        run.notes.let_go()
        run.wait(lambda: run.crowd.waiting == 0, "all are answered")
        assert run.crowd.fates == {"200": best + EXCESS}


@needs_nginx
def test_an_nginx_before_a_uvicorn_is_followed(tmp_path: Path) -> None:
    """From either process the whole path is found, its narrowest named, and it holds that."""
    app = serving([*UVICORN, "held_app:asgi"], 2, before=UNPRIVILEGED)
    with app as run, nginx(tmp_path, run.port, 24) as (pid, port, file):
        answer = audited(pid)
        for each in (children(pid)[0], run.process.pid, children(run.process.pid)[-1]):
            assert audited(each)["holds"] == answer["holds"]
        narrowest, best = answer["narrowest"], answer["holds"]["best"]
        assert (narrowest["program"], narrowest["file"]) == ("nginx", str(file))
        programs = {wall["program"] for wall in answer["walls"]}
        assert {"nginx", "uvicorn"} <= programs
        refused = next(w for w in answer["walls"] if w["resource"] == "limit_concurrency")
        assert (refused["value"], refused["scopes"]) == (50, 2)
        assert answer["unjoined"] == []
        with Crowd(("127.0.0.1", port)) as crowd:
            fill(run, crowd, best)


@needs_nginx
def test_servers_in_turn_are_as_good_as_the_least(tmp_path: Path) -> None:
    """Of two servers that one edge dials, the one with fewer descriptors counts, for both."""
    argv = ["uvicorn", "--port", "PORT", "held_app:asgi"]
    with ExitStack() as own:
        runs = [
            own.enter_context(serving(argv, 1, nofile=nofile, before=UNPRIVILEGED))
            for nofile in (90, 50)
        ]
        servers = f"{runs[0].port}; server 127.0.0.1:{runs[1].port}"
        edge, _, _ = own.enter_context(nginx(tmp_path, servers, 400))
        alone = audited(edge)["narrowest"]
        assert (alone["program"], alone["setting"], alone["value"]) == ("uvicorn", "nofile", 50)
        assert alone["why"] == f"/proc/{runs[1].process.pid}/limits"
        held = [audited(run.process.pid)["holds"] for run in runs]
        assert held == [audited(edge)["holds"]] * 2


@needs_nginx
def test_an_edge_before_an_edge_has_a_name_of_its_own(tmp_path: Path) -> None:
    """From the one behind, the one that dials it is found; each has its limits at its file."""
    folders = [tmp_path / name for name in ("behind", "before")]
    with ExitStack() as own:
        run = own.enter_context(serving([*GEVENT, "held_app:wsgi"], 2, before=UNPRIVILEGED))
        at, port = [], run.port
        for folder, connections in zip(folders, (90, 40), strict=True):
            folder.mkdir()
            at.append(own.enter_context(nginx(folder, port, connections)))
            port = at[-1][1]
        answers = [audited(pid) for pid in (at[0][0], at[1][0], run.process.pid)]
        assert [one["holds"] for one in answers] == [answers[0]["holds"]] * 3
        walls = [w for w in answers[0]["walls"] if w["resource"] == "worker_connections"]
        told = [(w["hop"], w["value"], w["file"]) for w in walls if w["program"] == "nginx"]
        hops = [f"nginx of process {pid}" for pid, _, _ in at]
        assert told == [(hops[1], 40, str(at[1][2])), (hops[0], 90, str(at[0][2]))]


@pytest.mark.parametrize("edge", ["none", *PROGRAMS])
def test_a_stack_of_ours_holds_what_was_asked_for(edge: str) -> None:
    """Of `holdfast up` the supervisor and each process lead to the whole, with no finding."""
    with up(free_port(), "--in-flight", "3k", "--edge", edge) as process:
        pids = [process.pid, *children(process.pid)]
        done = holdfast("audit", "--live", str(process.pid), "-n", "3k", "--mean-time", "1s")
        assert done.returncode == 0, done.stdout
        assert "no findings" in done.stdout
        assert "holds 3,000" in done.stdout
        answers = [holdfast("audit", "--live", str(pid), "--json") for pid in pids]
        held = [json.loads(one.stdout)["holds"]["sure"] for one in answers]
        assert len(held) >= 3  # the warden leads there, too
        assert min(held) == max(held) >= 3_000


def test_what_runs_is_compared_with_what_it_should_have(tmp_path: Path) -> None:
    """A unit that says more, a backlog that the kernel cut and a sysctl not loaded are findings."""
    most = int(Path("/proc/sys/net/core/somaxconn").read_text())
    (tmp_path / "sysctl.d").mkdir()
    (tmp_path / "sysctl.d/90.conf").write_text(f"net.core.somaxconn = {most * 2}\n")
    unit = "[Service]\nLimitNOFILE=65536\nExecStart=/srv/gunicorn shop:app\n"
    (tmp_path / "shop.service").write_text(unit)
    argv = [*GEVENT, "--backlog", str(most + 1), "held_app:wsgi"]
    with serving(argv, 2, nofile=64, before=UNPRIVILEGED) as run:
        answer = audited(run.process.pid, tmp_path)
        found = [each for each in answer["findings"] if each["code"] == "HF501"]
        places = {(place["file"], place["line"]) for each in found for place in each["places"]}
        command = f"/proc/{run.process.pid}/cmdline"
        assert places == {("shop.service", 2), ("sysctl.d/90.conf", 1), (command, 1)}
        assert {each["severity"] for each in found} == {"warning"}
        formulas = {each["formula"] for each in found}
        at = f"sock_diag of 127.0.0.1:{run.port}"
        assert f"{at}: {most:,} = {most + 1:,} is not so" in formulas
        (alone,) = (e for e in audited(run.process.pid)["findings"] if e["code"] == "HF501")
        assert alone["places"][0]["file"] == command


def test_what_is_loaded_is_no_finding(tmp_path: Path) -> None:
    """Files that say of each sysctl what the kernel has are met, ranges and lists as well."""
    names = [row.setting for row in TUNABLES if row.keeper is Keeper.SYSCTL]
    files = {name: Path("/proc/sys", name.replace(".", "/")) for name in names}
    lines = [f"{name} = {file.read_text()}" for name, file in files.items() if file.exists()]
    assert len(lines) > 5
    (tmp_path / "sysctl.conf").write_text("".join(lines))
    with serving([*GEVENT, "held_app:wsgi"], 2, before=UNPRIVILEGED) as run:
        assert "HF501" not in codes(audited(run.process.pid, tmp_path))
        low, high = files[PORT_RANGE].read_text().split()
        (tmp_path / "sysctl.conf").write_text(f"{PORT_RANGE} = {int(low) + 1} {high}\n")
        assert codes(audited(run.process.pid, tmp_path)).count("HF501") == 1


@contextmanager
def unit(said: str) -> Iterator[Path]:
    """Yield the group of a unit that systemd might have started, whose file says so."""
    top = next((g for g in map(Path, GROUPS) if (g / "cgroup.procs").exists()), None)
    if os.geteuid() != 0 or top is None:
        pytest.skip("a group of its own needs root, and cgroups that are mounted")
    name = f"holdfast-test-{os.getpid()}.service"
    with ExitStack() as own:
        (top / name).mkdir()
        own.callback((top / name).rmdir)
        file = Path("/run/systemd/system") / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(said)
        own.callback(file.unlink)
        yield top / name


def test_the_unit_that_started_it_is_found() -> None:
    """By its group a process leads to the unit's file, which asks for more than it has."""
    with unit("[Service]\nLimitNOFILE=65536\nExecStart=/srv/start\n") as group:
        join = ["sh", "-c", f'echo $$ >{group}/cgroup.procs && exec "$@"', "sh"]
        argv = [*GEVENT, "held_app:wsgi"]
        with serving(argv, 2, nofile=64, before=[*join, *UNPRIVILEGED]) as run:
            (found,) = (e for e in audited(run.process.pid)["findings"] if e["code"] == "HF501")
            (place,) = found["places"]
            assert (Path(place["file"]).name, place["line"]) == (group.name, 2)
            assert found["formula"].endswith(": 64 = 65,536 is not so")
        wait_until(lambda: not (group / "cgroup.procs").read_text(), what="all have left")


@needs_nginx
def test_a_file_that_was_not_read_again_is_a_finding(tmp_path: Path) -> None:
    """A change after the start is told until nginx reloads; then what it says is what runs."""
    with (
        serving([*GEVENT, "held_app:wsgi"], 2, before=UNPRIVILEGED) as run,
        nginx(tmp_path, run.port, 60) as (pid, port, file),
    ):
        before = audited(pid)
        assert "HF502" not in codes(before)
        text = NGINX.format(port=port, app=run.port, connections=40)
        file.write_text(text)
        os.utime(file, (time.time() + 5, time.time() + 5))
        (change,) = (each for each in audited(pid)["findings"] if each["code"] == "HF502")
        assert change["places"][0]["file"] == str(file)
        assert "nginx -s reload" in change["hint"]
        os.utime(file, (time.time() - 5, time.time() - 5))
        old = children(pid)
        os.kill(pid, signal.SIGHUP)
        wait_until(lambda: children(pid) and not set(children(pid)) & set(old), what="reloaded")
        after = audited(pid)
        assert "HF502" not in codes(after)
        assert after["holds"]["best"] < before["holds"]["best"]


def test_a_worker_that_died_is_missed() -> None:
    """While a master does not start another, one process less is counted and said."""
    with serving([*GEVENT, "held_app:wsgi"], 2, before=UNPRIVILEGED) as run:
        first, second = children(run.process.pid)
        whole = audited(run.process.pid)["holds"]["best"]
        os.kill(run.process.pid, signal.SIGSTOP)
        os.kill(second, signal.SIGKILL)
        wait_until(lambda: not list(Path(f"/proc/{second}/fd").iterdir()), what="it has died")
        answer = audited(first)
        os.kill(run.process.pid, signal.SIGCONT)
        assert 2 * answer["holds"]["best"] == whole
        (missed,) = (each for each in answer["findings"] if each["code"] == "HF501")
        assert missed["formula"].endswith(": 1 = 2 is not so")


@needs_nginx
def test_changes_are_shown_and_none_is_written(tmp_path: Path) -> None:
    """`--diff` names the real file; what a command line says is left to who starts it."""
    argv = [*GEVENT, "--worker-connections", "20", "held_app:wsgi"]
    with (
        serving(argv, 2, before=UNPRIVILEGED) as run,
        nginx(tmp_path, run.port, 60) as (pid, _, file),
    ):
        text = file.read_text()
        done = holdfast("audit", "--live", str(pid), "-n", "200", "--diff", before=UNPRIVILEGED)
        assert f"--- {file}" in done.stdout
        assert "/proc/" not in done.stdout.partition("--- ")[2].partition("also: ")[0]
        assert re.search(r"also: worker_connections = \d{3,} \(held_app:wsgi", done.stdout)
        assert (done.returncode, file.read_text()) == (1, text)


def test_who_listens_and_is_not_known_is_said(tmp_path: Path) -> None:
    """A server that is no program of ours is named with its process; the edge is audited."""
    if INSTALLED["nginx"] is None:
        pytest.skip("nginx is not installed")
    with ExitStack() as own:
        port = free_port()
        argv = ["python3", "-m", "http.server", str(port), "--bind", "127.0.0.1"]
        other = own.enter_context(
            subprocess.Popen([*UNPRIVILEGED, *argv], stderr=subprocess.DEVNULL)
        )
        own.callback(other.terminate)
        pid, _, _ = own.enter_context(nginx(tmp_path, port, 60))

        def told() -> list[str]:
            return [said for said in audited(pid)["unjoined"] if f"process {other.pid}" in said]

        wait_until(told, what="it listens and is named")
        assert audited(pid)["narrowest"]["program"] == "nginx"


@pytest.mark.parametrize(
    ("words", "told", "place"),
    [
        (["--live", str(OTHERS)], "it is not ours to look into", f"process {OTHERS} "),
        (["--live", "4194303"], "there is no such process", "process 4194303"),
        (["--live", "1", "--fix", "-n", "9"], "what runs is only read", "--fix"),
        (["--live", "1", "--cores", "4"], "what runs has what it has", "--cores"),
        (["--live", "0"], "Invalid value for '--live'", ""),
        ([], "there is nothing to audit", ""),
    ],
    ids=["others'", "nobody's", "fix", "cores", "no number", "nothing"],
)
def test_bad_input_has_fault_place_and_hint(words: list[str], told: str, place: str) -> None:
    """A process that is not there, not ours or no known program, and options that cannot be."""
    done = holdfast("audit", *words, before=UNPRIVILEGED)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"error: {told}" in done.stderr
    assert f"  at {place}" in done.stderr or not place
    assert "hint: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_title_over_a_command_line_is_said(tmp_path: Path) -> None:
    """Where setproctitle has replaced what gunicorn was told, nothing is guessed."""
    argv = ["gunicorn: master [shop:app]"]
    with subprocess.Popen(
        [*UNPRIVILEGED, "bash", "-c", f"exec -a '{argv[0]}' cat"], stdin=subprocess.PIPE
    ) as cat:
        wait_until(lambda: b"master" in Path(f"/proc/{cat.pid}/cmdline").read_bytes()[:20])
        done = holdfast("audit", "--live", str(cat.pid), before=UNPRIVILEGED)
    assert done.returncode == 2
    assert "error: gunicorn has put a title over its command line" in done.stderr
    assert f"  at /proc/{cat.pid}/cmdline" in done.stderr


def test_a_process_that_is_no_program_is_said(tmp_path: Path) -> None:
    """The names of those that are known are the hint."""
    with subprocess.Popen([*UNPRIVILEGED, "cat"], stdin=subprocess.PIPE) as cat:
        wait_until(lambda: b"cat" in Path(f"/proc/{cat.pid}/cmdline").read_bytes()[:4])
        done = holdfast("audit", "--live", str(cat.pid), before=UNPRIVILEGED)
    assert done.returncode == 2
    assert "error: it is no program whose limits are known" in done.stderr
    assert f"  at process {cat.pid} (cat)" in done.stderr
    assert "name a process of nginx, haproxy, gunicorn" in done.stderr
