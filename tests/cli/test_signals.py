"""A signal ends a command in good order whenever it comes, from the first import on. Each comes when a given module is
imported, so that no test depends on a moment.

The commands are forked from a process that has imported libraries, and nothing of this program.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.cli import Cli, zygote_for
from tests.support.paths import ROOT
from tests.support.service.authority import Authority
from tests.support.zygote import ForkedCommand

SIGNALLED = """
import os, signal, sys
module, number = sys.argv[1], signal.Signals[sys.argv[2]]

class Sender:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), number)

sys.meta_path.insert(0, Sender())
sys.argv = ["membercard", *sys.argv[3:]]
from membercard.start import main
main()
"""
SERVE = ("serve", "--port", "0", "--no-pcsc")
STARTING = [
    ("reader_service.process", signal.SIGTERM),
    ("reader_service.listen", signal.SIGINT),
    ("membercard.wiring.service", signal.SIGTERM),
    ("reader_service.app", signal.SIGINT),
]
"""Modules that serve imports, one after the other."""
LIBRARIES = (
    "alembic.command",
    "alembic.runtime.migration",
    "argon2",
    "construct",
    "cryptography.hazmat.primitives.kdf.argon2",
    "cryptography.x509",
    "fastapi",
    "jinja2",
    "prometheus_client",
    "pydantic",
    "rich.console",
    "sqlalchemy.dialects.sqlite.pysqlite",
    "sqlalchemy.orm",
    "sse_starlette",
    "structlog",
    "uvicorn",
)
"""What commands import of others, except typer, whose import is a moment."""
MOMENTS = ["typer", "membercard.commands.service.serve", "reader_service.app"]


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    cli = Cli(tmp_path / "data")
    cli.set_up()
    return cli


def start(cli: Cli, module: str, number: signal.Signals, *words: str, **changes: str) -> ForkedCommand:
    """A command without a terminal that gets a signal when it imports a module."""
    environment = cli.env(changes)
    zygote = zygote_for(environment, *LIBRARIES)
    return zygote.begin([module, number.name, *words], ROOT, environment, code=SIGNALLED)


def end(process: ForkedCommand) -> tuple[int, str, str]:
    with process:
        out, err = process.communicate()
    return process.wait(), out, err.strip()


def test_the_installed_program_takes_its_signals_first() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["scripts"]["membercard"] == "membercard.start:main"
    loaded = "import sys; before = set(sys.modules); import membercard.start; print(*sorted(set(sys.modules) - before))"
    ran = subprocess.run([sys.executable, "-c", loaded], capture_output=True, check=True, encoding="utf-8", cwd=ROOT)
    own = {name for name in ran.stdout.split() if name.startswith("membercard")}
    assert own == {"membercard", "membercard.signals", "membercard.start"}
    assert "typer" not in ran.stdout.split()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("words", [SERVE, ("perso", "run", "B")])
def test_before_the_command_is_known(cli: Cli, words: tuple[str, ...], number: signal.Signals, status: int) -> None:
    done = end(start(cli, "typer", number, *words))
    assert done == (status, "", "membercard: ended before it began; nothing was done")


def test_before_the_command_is_known_in_chinese(cli: Cli) -> None:
    done = end(start(cli, "typer", signal.SIGTERM, "batch", "list", MEMBERCARD_LANG="zh"))
    assert done == (143, "", "membercard: 尚未开始就已结束；未做任何操作")


@pytest.mark.parametrize(("module", "number"), STARTING)
def test_a_service_that_starts_says_what_ended_it(cli: Cli, module: str, number: signal.Signals) -> None:
    ended = "interrupted" if number == signal.SIGINT else f"ended by {number.name}"
    code, out, err = end(start(cli, module, number, *SERVE))
    assert (code, out) == (128 + number, "")
    assert err.splitlines()[-1] == f"membercard: {ended}; what was done so far is kept"
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("module", "words", "number"),
    [
        ("membercard.commands.intake.batch", ("batch", "list"), signal.SIGINT),
        ("registry.store", ("batch", "list"), signal.SIGTERM),
        ("registry.store", ("batch", "list"), signal.SIGHUP),
        (
            "membercard.commands.issuing.perso",
            ("perso", "run", "B20260101-001", "--reader", "sim:stock"),
            signal.SIGTERM,
        ),
        ("simulators.cli", ("sim", "issuer", "--keys", "x"), signal.SIGTERM),
        ("membercard.commands.counter.readers", ("readers", "watch"), signal.SIGINT),
    ],
)
def test_any_other_command_says_what_ended_it(
    cli: Cli, module: str, words: tuple[str, ...], number: signal.Signals
) -> None:
    ended = "interrupted" if number == signal.SIGINT else f"ended by {number.name}"
    code, out, err = end(start(cli, module, number, *words))
    assert (code, out) == (128 + number, "")
    assert err.splitlines()[-1] == f"membercard: {ended}; what was done so far is kept"
    assert "Traceback" not in err


def test_a_hang_up_before_the_command_is_known_is_not_forgotten(cli: Cli) -> None:
    done = end(start(cli, "typer", signal.SIGHUP, "batch", "list"))
    assert done == (129, "", "membercard: ended by SIGHUP; what was done so far is kept")


@pytest.mark.parametrize("module", MOMENTS)
def test_a_service_without_tls_ignores_a_hang_up_of_any_moment(cli: Cli, module: str) -> None:
    process = start(cli, module, signal.SIGHUP, *SERVE)
    assert any(line.startswith("Serving at http://") for line in process.stdout)
    process.send_signal(signal.SIGTERM)
    assert end(process)[0] == 0


@pytest.mark.parametrize("module", MOMENTS)
def test_a_hang_up_of_any_moment_renews_the_tls_files(cli: Cli, tmp_path: Path, module: str) -> None:
    cert, key = Authority(tmp_path / "authority").issue("station.example")
    process = start(cli, module, signal.SIGHUP, *SERVE, "--tls-cert", str(cert), "--tls-key", str(key))
    assert any("the TLS files were renewed" in line for line in process.stderr)
    process.send_signal(signal.SIGTERM)
    assert end(process)[0] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_was_ignored_stays_so(cli: Cli, number: signal.Signals) -> None:
    """As behind nohup, or in the background of a script."""
    ignoring = f"trap '' {number.name.removeprefix('SIG')}; exec \"$@\""
    words = [sys.executable, "-c", SIGNALLED, "typer", number.name, "batch", "list"]
    ran = subprocess.run(
        ["sh", "-c", ignoring, "sh", *words],
        capture_output=True,
        encoding="utf-8",
        env=cli.env(),
        cwd=ROOT,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
