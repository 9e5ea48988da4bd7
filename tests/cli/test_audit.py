"""`holdfast audit` over files, as a shell runs it: what it says, exit codes, what it changes."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from holdfast.checks.catalog import LAWS
from tests.cli.run import command, environment

pytestmark = pytest.mark.beside

GUIDES = Path(__file__).parents[1] / "readers/guides"
GUNICORN = """\
workers = 4
worker_class = 'gevent'
worker_connections = 1000
bind = '127.0.0.1:8000'
"""


@pytest.fixture
def guide(tmp_path: Path) -> Path:
    """Return a folder of DigitalOcean's settings before Debian's nginx."""
    folder = tmp_path / "do"
    (folder / "sites-enabled").mkdir(parents=True)
    (folder / "nginx.conf").write_text((GUIDES / "debian-nginx.conf").read_text())
    (folder / "sites-enabled/app").write_text((GUIDES / "digitalocean.conf").read_text())
    (folder / "gunicorn.conf.py").write_text(GUNICORN)
    return folder


def audit(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    return subprocess.run(
        command("audit", *map(str, words)),
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def said(*words: str | Path) -> Any:
    """What the command says as JSON."""
    return json.loads(audit(*words, "--json").stdout)


@pytest.mark.slow
def test_the_guide_on_two_cores(guide: Path) -> None:
    """766 at best, because of a line of nginx.conf; and what else HTTP/2 clients would find."""
    answer = said(guide)
    assert {"holds", "narrowest", "walls", "findings", "assumed"} <= set(answer)
    assert answer["holds"] == {"sure": 359, "onset": 718, "best": 766}
    narrowest = answer["narrowest"]
    assert (narrowest["program"], narrowest["setting"]) == ("nginx", "worker_connections")
    assert (narrowest["file"], narrowest["line"]) == ("nginx.conf", 4)
    assert answer["other_ways"][0]["holds"]["best"] > 1_500
    assert {"HF303"} <= {finding["code"] for finding in answer["findings"]}


@pytest.mark.slow
def test_a_site_alone_stands_in_the_distributions_nginx(guide: Path) -> None:
    """Without a main file 768 connections are assumed, and said; no file has the line."""
    (guide / "nginx.conf").unlink()
    answer = said(guide)
    assert answer["holds"] == {"sure": 359, "onset": 718, "best": 766}
    assert answer["narrowest"]["file"] is None
    told = {each["setting"]: each["why"] for each in answer["assumed"]}
    assert told["worker_connections"] == "Debian 12's nginx.conf"
    assert sorted(answer["files"]) == ["gunicorn.conf.py", "sites-enabled/app"]


@pytest.mark.slow
def test_a_site_that_lies_elsewhere_is_taken_to_be_included(guide: Path) -> None:
    """The main file's pattern that matches nothing is taken to mean it, and that is said."""
    (guide / "sites-enabled").rename(guide / "sites")
    (guide / "nginx.conf").write_text(
        (guide / "nginx.conf").read_text().replace("connections 768", "connections 100")
    )
    answer = said(guide)
    assert answer["holds"]["best"] == 98
    assert answer["granted"] == ["nginx.conf includes sites/app by `sites-enabled/*`"]


@pytest.mark.slow
def test_a_site_that_no_main_file_can_mean_is_said(guide: Path) -> None:
    """With a main file that includes nothing it belongs to none, and counts for nothing."""
    (guide / "nginx.conf").write_text(
        "events { worker_connections 30; }\n"
        "http { server { listen 80; location / { proxy_pass http://127.0.0.1:8000; } } }\n"
    )
    answer = said(guide)
    assert answer["holds"]["best"] == 14
    assert answer["unjoined"] == ["sites-enabled/app: no nginx.conf that was read includes it"]


@pytest.mark.slow
def test_an_edge_before_what_nobody_read_is_judged_too(guide: Path) -> None:
    """A way to an unknown program is left out only where its edge stands on another way."""
    (guide / "haproxy.cfg").write_text(
        "defaults\n    mode http\n"
        "frontend f\n    bind :90\n    maxconn 21\n    default_backend b\n"
        "backend b\n    server s 127.0.0.1:9999\n"
    )
    answer = said(guide)
    assert (answer["ways"], answer["holds"]["best"]) == (2, 21)
    assert answer["narrowest"]["program"] == "haproxy"
    assert answer["unjoined"] == [
        "haproxy dials 127.0.0.1:9999 (haproxy.cfg:8), and nothing that was read listens there"
    ]


@pytest.mark.slow
def test_many_sites_are_said_briefly(guide: Path) -> None:
    """Of hundreds of ways 200 are judged, and that is said; what repeats is counted."""
    (guide / "sites-enabled").rename(guide / "sites")
    for number in range(300):
        dialled = f"http://127.0.0.1:{20_000 + number}"
        site = f"server {{ listen 80; location / {{ proxy_pass {dialled}; }} }}\n"
        (guide / f"sites/s{number}").write_text(site)
    (guide / "gunicorn.conf.py").unlink()
    told = audit(guide).stdout
    assert "taken for granted: the first 200 ways through these files stand for all" in told
    assert "includes sites/app, sites/s0, sites/s1 and 298 more by" in " ".join(told.split())
    assert told.count("not joined: ") == 6
    assert len(said(guide)["unjoined"]) == 200


@pytest.mark.slow
def test_what_quotes_a_configuration_is_none(guide: Path) -> None:
    """Prose, code and templates that show one, and what the daemons' folders explain, are left."""
    before = said(guide)
    shown = "# Set up\nserver { listen 80; location / { proxy_pass http://10.0.0.1; } }\n"
    for name in ("README.md", "deploy.py", "chart.yaml", "site.conf.j2", "install.sh"):
        (guide / name).write_text(shown)
    (guide / "haproxy.md").write_text("defaults\n    maxconn 3\nfrontend f\n    bind :80\n")
    for folder in ("sysctl.d", "security/limits.d"):
        (guide / folder).mkdir(parents=True)
        (guide / folder / "README").write_text("Files here are read at boot.\n")
    assert said(guide) == before


@pytest.mark.slow
def test_versions_are_told_or_assumed(guide: Path) -> None:
    """What a later nginx dropped is a note for Debian's, and a warning for the one that is told."""
    told = audit(guide)
    assert "assumed: nginx 1.22.1 (Debian 12's version)" in told.stdout
    assert "note[HF303]: nginx has no `http2_push_preload` from 1.25.1 on" in told.stdout
    newer = audit(guide, "--assume", "nginx=1.26.3")
    assert "assumed: nginx" not in newer.stdout
    assert "warning[HF303]: nginx has no `http2_push_preload` since 1.25.1" in newer.stdout


@pytest.mark.slow
def test_the_guide_on_sixteen_cores(guide: Path) -> None:
    """The most ever answered is gunicorn's 4,000; over HTTP/2 with 50 streams about 1,500 on 2."""
    assert said(guide, "--cores", "16")["holds"]["best"] == 4_000
    assert 1_480 <= said(guide, "--streams", "50")["holds"]["best"] <= 1_516


@pytest.mark.slow
def test_what_is_fixed_holds(guide: Path) -> None:
    """`--diff` writes nothing and exits 1; `--fix` writes, and the next audit holds the number."""
    options = ("--target", "20k", "--nofile", "1M")
    before = (guide / "nginx.conf").read_text()
    shown = audit(guide, *options, "--diff")
    assert (shown.returncode, (guide / "nginx.conf").read_text()) == (1, before)
    assert "-events { worker_connections 768; }" in shown.stdout
    fixed = audit(guide, *options, "--fix")
    assert fixed.returncode == 0, fixed.stderr
    again = said(guide, *options)
    assert again["holds"]["sure"] >= 20_000
    assert [f["code"] for f in again["findings"] if f["severity"] != "note"] == []
    assert audit(guide, *options).returncode == 0


@pytest.mark.slow
def test_all_files_are_fixed_or_none(guide: Path) -> None:
    """Where one cannot be written that is told, and the others are as they were."""
    options = ("--target", "20k", "--nofile", "1M", "--fix")
    files = {file: file.read_bytes() for file in guide.rglob("*") if file.is_file()}
    blocked = guide / ".nginx.conf.holdfast"
    blocked.mkdir()
    done = audit(guide, *options)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "error: it cannot be written: Is a directory\n  at nginx.conf\nhint: " in done.stderr
    assert {file: file.read_bytes() for file in guide.rglob("*") if file.is_file()} == files
    blocked.rmdir()
    os.chmod(guide / "nginx.conf", 0o640)
    assert audit(guide, *options).returncode == 0
    assert (guide / "nginx.conf").stat().st_mode & 0o777 == 0o640
    assert {file for file in guide.rglob("*") if file.is_file()} == set(files)


@pytest.mark.slow
def test_memory_that_is_told_is_counted(tmp_path: Path) -> None:
    """400 workers do not fit 8 GiB, nor 10,000 requests 300 MiB; what each takes is assumed."""
    file = tmp_path / "gunicorn.conf.py"
    file.write_text(GUNICORN.replace("workers = 4", "workers = 400").replace("1000", "2000"))
    few = said(tmp_path, "--memory", "8GiB")
    assert "HF405" in {finding["code"] for finding in few["findings"]}
    assert {"base_bytes", "request_bytes"} <= {each["setting"] for each in few["assumed"]}
    file.write_text(file.read_text().replace("workers = 400", "workers = 4"))
    assert "HF405" not in {each["code"] for each in said(tmp_path, "--memory", "8GiB")["findings"]}
    options = ("--target", "4k", "--nofile", "1M", "--cores", "4")
    for size, short in (("300MiB", True), ("8GiB", False)):
        answer = said(tmp_path, *options, "--memory", size)
        found = [each for each in answer["findings"] if each["code"] == "HF105"]
        assert bool(found) is short
        assert all(not each["changes"] for each in found)


@pytest.mark.slow
def test_a_unit_without_a_limit_gets_its_line(tmp_path: Path) -> None:
    """`--fix` writes LimitNOFILE behind the command, however many lines that has."""
    unit = tmp_path / "app.service"
    unit.write_text(
        "[Service]\nExecStart=/srv/bin/uvicorn app:app \\\n    --port 8000\nRestart=always\n"
    )
    options = ("--target", "2k", "--mean-time", "9")
    assert audit(tmp_path, *options).returncode == 1
    assert audit(tmp_path, *options, "--fix").returncode == 0
    assert "    --port 8000\nLimitNOFILE=20" in unit.read_text()
    assert unit.read_text().endswith("\nRestart=always\n")
    assert "no findings" in audit(tmp_path, *options).stdout


@pytest.mark.slow
@pytest.mark.parametrize(("other", "said_so"), [(64, False), (65, True)])
def test_servers_that_differ_are_said(tmp_path: Path, other: int, said_so: bool) -> None:
    """Servers of one upstream are judged by the first; another number of one is said."""
    (tmp_path / "nginx.conf").write_text(
        "events { worker_connections 500; }\nhttp {\n"
        "upstream app { least_conn; server 127.0.0.1:8001; server 127.0.0.1:8002; }\n"
        "server { listen 80; location / { proxy_pass http://app; } } }\n"
    )
    run = "uvicorn a:b --port {} --limit-concurrency {}\n"
    (tmp_path / "Procfile").write_text(f"a: {run.format(8001, 64)}b: {run.format(8002, other)}")
    granted = ["all servers of `app` are taken to be like `a: a:b`"] if said_so else []
    assert said(tmp_path)["granted"] == granted


@pytest.mark.slow
def test_only_what_is_listed_changes(guide: Path) -> None:
    """Every byte outside the edits that the JSON lists is as it was."""
    options = ("--target", "20k", "--nofile", "1M")
    answer = said(guide, *options, "--diff")
    files = (file for file in guide.rglob("*") if file.is_file())
    texts = {file.relative_to(guide).as_posix(): file.read_bytes() for file in files}
    audit(guide, *options, "--fix")
    edits = [edit for change in answer["changes"] for edit in change["edits"]]
    assert edits
    for edit in sorted(edits, key=lambda each: (each["start"], each["end"]), reverse=True):
        old = texts[edit["file"]]
        texts[edit["file"]] = old[: edit["start"]] + edit["text"].encode() + old[edit["end"] :]
    assert {name: (guide / name).read_bytes() for name in texts} == texts


@pytest.mark.slow
def test_sarif_has_what_its_schema_asks_for(guide: Path) -> None:
    """Version, one run, a named tool; each result has a message, a level, and its rule's index."""
    log = json.loads(audit(guide, "--sarif", "--target", "20k").stdout)
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "holdfast"
    assert run["results"]
    for result in run["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["message"]["text"]
        assert result["level"] in {"none", "note", "warning", "error"}
        for location in result["locations"]:
            region = location["physicalLocation"]["region"]
            assert region["startLine"] >= 1
            assert (region["byteOffset"] >= 0, region["byteLength"] >= 0) == (True, True)
        for fix in result.get("fixes", ()):
            assert fix["artifactChanges"]
            for change in fix["artifactChanges"]:
                assert all("deletedRegion" in each for each in change["replacements"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["no/such/file"], "there is no `no/such/file`"),
        (["."], "nothing that was read says how requests arrive"),
        ([".", "--fix"], "changes need a number to reach"),
        ([".", "--assume", "plan-9"], "`plan-9` is not known"),
        ([".", "--assume", "iis=10"], "`iis` is not known"),
        ([".", "--assume", "nginx="], "`` is no version"),
        ([".", "--assume", "nginx=new"], "`new` is no version"),
        ([".", "--mean-time", "0"], "a mean time of zero makes no rate"),
        ([".", "--json", "--sarif"], "it is one form or the other"),
    ],
)
@pytest.mark.slow
def test_bad_input_is_told(
    words: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault is said, with exit code 2 and no traceback."""
    monkeypatch.chdir(tmp_path)
    done = audit(*words)
    assert done.returncode == 2
    assert f"error: {told}" in done.stderr
    assert "hint: " in done.stderr


@pytest.mark.slow
def test_a_walk_is_bounded(guide: Path, tmp_path: Path) -> None:
    """A circle of links, a pipe, a link to outside and a huge file neither hang it nor are read."""
    (guide / "round").symlink_to(guide)
    (guide / "outside.conf").symlink_to("/etc/passwd")
    os.mkfifo(guide / "pipe.conf")
    with (guide / "huge.conf").open("wb") as file:
        file.truncate(2**30)
    done = audit(guide)
    assert done.returncode == 0
    assert "766 at best" in done.stdout
    assert "huge.conf: it is larger than 4 MiB" in done.stderr
    assert "outside.conf: it is outside" in done.stderr


def explain(*words: str) -> subprocess.CompletedProcess[str]:
    """Run `holdfast explain`."""
    argv = command("explain", *words)
    return subprocess.run(argv, env=environment(), capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_code_is_explained() -> None:
    """Each part of the law is there; without a code, all of them; with another, the nearest."""
    told = explain("hf104").stdout
    assert all(head in told for head in ("HF104: ", "meaning: ", "formula: ", "source: "))
    every = explain().stdout
    assert all(code in every for code in LAWS)
    wrong = explain("HF140")
    assert (wrong.returncode, "did you mean" in wrong.stderr) == (2, True)
