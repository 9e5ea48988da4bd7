"""What an audit does not do, whatever the files say: go on for ever, fall over, leave its folder.

The real command, as a shell runs it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.observe.tree import MOST_FILES, Tree
from tests.cli.run import UNPRIVILEGED, environment, holdfast

pytestmark = pytest.mark.beside

HOOKED = Path(__file__).with_name("hooked.py")
UVICORN = "web: uvicorn shop:app --limit-concurrency 7\n"
EDGE = """\
events { worker_connections 100; }
http { server { listen 8080; location / { proxy_pass http://127.0.0.1:8000; } } }
"""
ATTACK = {
    "nginx.conf": f"include /etc/passwd;\ninclude ../*.conf;\ninclude round.conf;\n{EDGE}",
    "round.conf": "include nginx.conf;\n",
    "gunicorn.conf.py": "import os\nopen('EXECUTED', 'w')\nos.system('touch EXECUTED')\n"
    "workers = 2\nworker_class = 'gevent'\nbind = '127.0.0.1:8000'\n",
    "compose.yaml": "services:\n  web:\n    extends: {file: ../../other.yaml, service: web}\n"
    "    env_file: /etc/environment\n    build: /etc\n"
    "    command: sh -c 'touch EXECUTED; uvicorn shop:app --port $(cat /etc/passwd)'\n"
    "  bad: !!python/object/apply:os.system ['touch EXECUTED']\n",
    "web.service": "[Service]\nEnvironmentFile=/etc/environment\nEnvironmentFile=../../outside\n"
    "ExecStart=/usr/bin/gunicorn -c /etc/gunicorn.conf.py shop:app\n",
    "Procfile": "web: $(touch EXECUTED) gunicorn -c python:shop.settings shop:app\n",
    "Dockerfile": "FROM python\nCOPY . .\nRUN touch EXECUTED\nCMD uvicorn shop:app\n",
    "start.sh": "#!/bin/sh\ntouch EXECUTED\n. /etc/profile\nexec uvicorn shop:app --port 9001\n",
    "haproxy.cfg": "defaults\n  mode http\nfrontend f\n  bind :81\n  default_backend b\n"
    "backend b\n  server s 127.0.0.1:8000 resolvers r\n  errorfile 503 /etc/passwd\n",
    **dict.fromkeys(
        ("shop.py", "yaml.py", "json.py", "click.py", "sitecustomize.py", "usercustomize.py"),
        "open('EXECUTED', 'w')\n",
    ),
}
"""Files that would have an audit execute, import, ask or open what it may not."""


def files(folder: Path, count: int) -> None:
    """Make so many files, fifty in a folder, each a server of its own name."""
    for number in range(count):
        place = folder / f"{number // 50:03d}"
        if number % 50 == 0:
            place.mkdir(parents=True)
        (place / f"{number}.txt").touch()
    (folder / "000" / "0.txt").rename(folder / "000" / "Procfile")
    (folder / "000" / "Procfile").write_text(UVICORN)


@pytest.mark.slow
@pytest.mark.parametrize("more", [0, 1])
def test_as_many_files_as_are_walked_and_one_more(tmp_path: Path, more: int) -> None:
    """10,000 files are all looked at; of 10,001 it is said that they are too many."""
    files(tmp_path, MOST_FILES + more)
    assert len(Tree([str(tmp_path)]).names) == MOST_FILES
    done = holdfast("audit", str(tmp_path))
    assert done.returncode == 0
    assert "6 at best" in done.stdout
    told = "not read: ...: more than 10,000 files; name fewer"
    assert (told in done.stderr) is bool(more)
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_deep_links_end(tmp_path: Path) -> None:
    """Links of links, of folders, of each other, and a path longer than the kernel takes, end."""
    (tmp_path / "Procfile").write_text(UVICORN)
    for number in range(60):
        (tmp_path / f"Procfile.{number}").symlink_to(f"Procfile.{number + 1}")
    (tmp_path / "Procfile.60").symlink_to("Procfile")
    (tmp_path / "one.conf").symlink_to("other.conf")
    (tmp_path / "other.conf").symlink_to("one.conf")
    (tmp_path / "up").symlink_to("..")
    at = os.open(tmp_path, os.O_RDONLY)
    for number in range(20):  # 20 names of 250 letters: past PATH_MAX
        os.mkdir(f"{number:0250d}", dir_fd=at)
        os.symlink("../..", "back", dir_fd=at)
        deeper = os.open(f"{number:0250d}", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = deeper
    os.close(at)
    done = holdfast("audit", str(tmp_path), "--json")
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    answer = json.loads(done.stdout)
    assert (answer["holds"]["best"], answer["ways"]) == (6, 1)


@pytest.mark.slow
def test_a_link_to_a_site_is_the_site(tmp_path: Path) -> None:
    """What sites-enabled links to is read once, as nginx does, wherever else it lies."""
    for name in ("sites-available", "sites-enabled"):
        (tmp_path / name).mkdir()
    (tmp_path / "sites-available/shop").write_text("server { listen 80; return 200; }\n")
    (tmp_path / "sites-enabled/shop").symlink_to("../sites-available/shop")
    text = "events { worker_connections 100; }\nhttp { include sites-enabled/*; }\n"
    (tmp_path / "nginx.conf").write_text(text)
    answer = json.loads(holdfast("audit", str(tmp_path), "--json").stdout)
    assert (answer["ways"], answer["narrowest"]["file"]) == (1, "nginx.conf")


@pytest.mark.slow
def test_a_huge_file_alone_is_refused(tmp_path: Path) -> None:
    """A gigabyte that was named ends in a fault that says why it was not read."""
    with (tmp_path / "nginx.conf").open("wb") as file:
        file.truncate(2**30)
    done = holdfast("audit", str(tmp_path / "nginx.conf"))
    assert done.returncode == 2
    assert "at nginx.conf: it is larger than 4 MiB" in done.stderr
    assert "hint: " in done.stderr


@pytest.mark.slow
def test_what_may_not_be_read_is_said(tmp_path: Path) -> None:
    """Without permission a file, and one that is included, are named and left, others are read."""
    (tmp_path / "nginx.conf").write_text(f"include secret.conf;\n{EDGE}")
    (tmp_path / "secret.conf").write_text("worker_processes 4;\n")
    (tmp_path / "secret.conf").chmod(0)
    done = holdfast("audit", str(tmp_path), before=UNPRIVILEGED)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert "not read: secret.conf: Permission denied" in done.stderr
    alone = holdfast("audit", str(tmp_path / "secret.conf"), before=UNPRIVILEGED)
    assert alone.returncode == 2
    assert "at secret.conf: Permission denied" in alone.stderr


@pytest.mark.slow
def test_includes_stay_inside_and_end(tmp_path: Path) -> None:
    """An include of what lies outside, and one that comes back to itself, are findings."""
    folder = tmp_path / "inside"
    folder.mkdir()
    (tmp_path / "other.conf").write_text("worker_processes 9;\n")
    for name, text in ATTACK.items():
        (folder / name).write_text(text)
    done = holdfast("audit", str(folder), "--json")
    assert (done.returncode in (0, 1), "Traceback" in done.stderr) == (True, False), done.stderr
    found = {(each["code"]) for each in json.loads(done.stdout)["findings"]}
    assert {"HF005", "HF006"} <= found


def hooked(folder: Path, first: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command under the hook."""
    argv = [sys.executable, "-B", str(HOOKED), str(folder), first, *words]
    return subprocess.run(argv, env=environment(), capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("-n", "300", "--diff"), ("--json",), ("--sarif",)])
def test_nothing_is_run_or_asked_or_opened_outside(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    """Files that try everything get nothing executed, imported, dialled, written or opened."""
    folder = tmp_path / "inside"
    folder.mkdir()
    (tmp_path / "other.yaml").write_text("services: {web: {command: uvicorn a:b}}\n")
    (tmp_path / "secret").write_text(UVICORN)
    for name, text in ATTACK.items():
        (folder / name).write_text(text)
    (folder / "Procfile.link").symlink_to(tmp_path / "secret")
    (folder / "etc").symlink_to("/etc")
    before = sorted(path.name for path in tmp_path.rglob("*"))
    done = hooked(folder, "", "audit", ".", *options)
    assert done.returncode in (0, 1), done.stderr
    assert "web.service" in done.stdout or "nginx.conf" in done.stdout
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "told"),
    [
        ("open('/etc/passwd')", "open /etc/passwd"),
        ("open('new', 'w')", "to write"),
        ("sys.path.insert(0, '.'); import shop", "exec "),
        ("import subprocess; subprocess.run(['true'])", "subprocess.Popen"),
        ("import socket; socket.socket()", "socket.__new__"),
        ("os.listdir('/etc')", "os.listdir /etc"),
    ],
)
def test_the_hook_tells(tmp_path: Path, first: str, told: str) -> None:
    """What an audit may not do is noted where something does it."""
    (tmp_path / "Procfile").write_text(UVICORN)
    (tmp_path / "shop.py").write_text("")
    done = hooked(tmp_path, first, "audit", ".")
    assert done.returncode == 99
    assert told in done.stderr
