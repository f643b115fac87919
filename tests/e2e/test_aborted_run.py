"""A test run that is interrupted or killed leaves no process and no file behind."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.waiting import PATIENCE, eventually

_PLUGINS = ("-p", "pytest_timeout", "-p", "xdist")
"""What the settings of pytest name; others take longer to import than this test."""
_TEST = """
import time
from pathlib import Path

from tests.support.cli import zygote_for
from tests.support.service import process
from tests.support.service.process import ServiceDirectory, ServiceProcess

process.zygote_for = lambda environment: zygote_for(environment, "membercard.cli")  # which is all for one command

HERE = Path(__file__).parent


def test_something_long(cluster):
    home = ServiceDirectory(HERE / "home", cluster.database(), keys=0)
    service = ServiceProcess(home.config("station"), [], HERE / "log", None)
    server = (cluster.socket / "data" / "postmaster.pid").read_text().split()[0]
    (HERE / "new").write_text(f"{cluster.socket} {server} {service.process.pid}")
    (HERE / "new").rename(HERE / "begun")
    time.sleep(3600)
"""


def _ended(pid: int) -> bool:
    """Whether it is gone, or only waits for its parent to look."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("how", "workers"), [(signal.SIGTERM, []), (signal.SIGKILL, ["-n", "1"])], ids=["SIGTERM", "SIGKILL"]
)
def test_servers_and_services_end_with_the_tests(how: signal.Signals, workers: Sequence[str], tmp_path: Path) -> None:
    (tmp_path / "test_long.py").write_text(_TEST)
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", *_PLUGINS, *workers]
    command += ["-c", str(ROOT / "pyproject.toml"), f"--rootdir={ROOT}", f"--basetemp={tmp_path / 'base'}"]
    with (tmp_path / "out").open("wb") as out:
        run = subprocess.Popen(
            [*command, str(tmp_path / "test_long.py")],
            cwd=ROOT,
            env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        begun = tmp_path / "begun"
        assert eventually(lambda: begun.exists() or run.poll() is not None)
        assert begun.exists(), (tmp_path / "out").read_text()
        cluster, *pids = begun.read_text().split()
        run.send_signal(how)
        run.wait(PATIENCE)
        assert eventually(lambda: all(_ended(int(pid)) for pid in pids))
        assert eventually(lambda: not Path(cluster).exists())
    finally:
        if run.poll() is None:
            run.kill()


_STARTER = """
import fcntl, os, signal, subprocess, sys, time
from pathlib import Path

from tests.support.watchdog import Watchdog

place = Path(sys.argv[1])
lock = (place.parent / "lock").open("a")
fcntl.flock(lock, fcntl.LOCK_EX)
watchdog = Watchdog(place, signal.SIGTERM, locks=[lock])
for _ in range(2):
    started = subprocess.Popen(["sleep", "3600"], stdout=subprocess.DEVNULL)
    watchdog.watch(started.pid)
    print(started.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_last_watched_process_ends_before_the_lock_and_the_directory(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    ran = subprocess.run([sys.executable, "-c", _STARTER, str(place)], cwd=ROOT, stdout=subprocess.PIPE, check=False)
    assert ran.returncode == -signal.SIGKILL
    first, second = map(int, ran.stdout.split())
    try:
        with (tmp_path / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            assert (_ended(first), _ended(second), place.exists()) == (False, True, False)
    finally:
        os.kill(first, signal.SIGKILL)


_PYTEST = """#!/bin/sh
trap 'echo ended >>"{log}"; exit 2' TERM
mkdir "$TMPDIR/$$"
echo "$TMPDIR" >>"{log}"
while sleep 0.05; do :; done
"""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=lambda how: how.name)
def test_an_interrupted_make_test_ends_its_processes_and_removes_its_files(how: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "test.sh", tmp_path / "scripts")
    programs, log = tmp_path / ".venv" / "bin", tmp_path / "log"
    programs.mkdir(parents=True)
    for name, text in {"python": _PYTEST.format(log=log), "ruff": "#!/bin/sh\n", "mypy": "#!/bin/sh\n"}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    run = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", str(tmp_path / "scripts" / "test.sh")],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert eventually(lambda: log.exists() and len(log.read_text().split()) == 2), "both parts began"
    place = Path(log.read_text().split()[0])
    assert place.is_dir()
    os.kill(run.pid, how)
    assert run.wait(PATIENCE) == 128 + how
    assert log.read_text().split()[2:] == ["ended", "ended"]
    assert not place.exists()
