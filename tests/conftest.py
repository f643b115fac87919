"""What all tests share: the PC/SC service with virtual slots, no stopwatch on generated examples, and the rule that no
test is skipped silently in CI."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import settings

from tests.support.cli import IssuerDirectory, issued_once
from tests.support.pcsc.pcscd import Pcscd
from tests.support.registry import engines, postgres
from tests.support.registry.postgres import Cluster
from tests.support.thorough import THOROUGH

# A busy machine is no bug: an example that waits 200 ms for a processor must not fail.
settings.register_profile("tests", deadline=None, max_examples=30)
settings.register_profile(THOROUGH, deadline=None, max_examples=1000)
settings.load_profile("tests")

# Thousands of collected tests are no garbage: looking through them again and again took a fifth of a run's time.
gc.set_threshold(20_000, 10, 10)

engines.share_statements()

# A run in the background of a script (`make test &`) ignores Ctrl-C, and so would every command that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# Under nohup no command would know SIGHUP. One caught here has its usual meaning in what is started.
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda _number, _frame: None)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """SIGTERM as Ctrl-C, so that fixtures end what they started."""
    raise KeyboardInterrupt


signal.signal(signal.SIGTERM, _interrupt)

_ALLOWED = Path(__file__).with_name("allowed_skips.txt")


@pytest.fixture(scope="session")
def pcscd() -> Iterator[Pcscd]:
    """A PC/SC service with at least two virtual slots, for the whole run."""
    with Pcscd() as service:
        yield service


@pytest.fixture(scope="session", autouse=True)
def _end_of_the_cluster() -> Iterator[None]:
    yield
    postgres.SHARED.stop()


@pytest.fixture(scope="module", autouse=True)
def _end_of_the_databases() -> Iterator[None]:
    """A database takes nine megabytes: those of a module end with it."""
    yield
    if postgres.SHARED.running is not None:
        postgres.SHARED.running.drop_all()


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """A PostgreSQL server for the whole run of this process."""
    if postgres.binaries() is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    return postgres.SHARED.cluster()


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> IssuerDirectory:
    """The data directory of an issuer with a finished batch of three, a draft of two, and blanks. Not to be changed."""
    return issued_once(_of_all_workers(tmp_path_factory), tmp_path_factory.mktemp("issuers") / "home")


@pytest.fixture(scope="session")
def other_home(tmp_path_factory: pytest.TempPathFactory) -> IssuerDirectory:
    """The data directory of another issuer, with keys and cards of its own."""
    own = tmp_path_factory.mktemp("issuers") / "other"
    return issued_once(_of_all_workers(tmp_path_factory), own, members=1, spare=0, unit="别省工会", own_keys=True)


def _of_all_workers(factory: pytest.TempPathFactory) -> Path:
    """The folder in which each worker of this run has one of its own."""
    return factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else factory.getbasetemp()


def _allowed_skips() -> set[str]:
    lines = _ALLOWED.read_text(encoding="utf-8").splitlines()
    return {line.partition("#")[0].strip() for line in lines} - {""}


class _SkipWatch:
    """Fails a CI run in which a test was skipped that allowed_skips.txt does not list."""

    def __init__(self) -> None:
        self.skipped: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            self.skipped.append(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self.skipped.append(report.nodeid)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        unlisted = sorted(set(self.skipped) - _allowed_skips())
        if unlisted and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        self.unlisted = unlisted

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for nodeid in getattr(self, "unlisted", ()):
            terminalreporter.write_line(f"skipped in CI and not listed in tests/allowed_skips.txt: {nodeid}", red=True)


_LONGEST = (
    "pages/test_every_page.py",  # makes the demo's station, of which the other pages' tests take a copy
    "e2e/test_kill.py",
    "e2e/test_two_stations.py",
    "pages/test_first_paint.py",
    "pages/test_administration.py",
    "e2e/test_tears.py",
    "e2e/test_demo.py",
    "e2e/test_service_faults.py",
    "cli/test_processes.py",
    "e2e/test_installed_program.py",
    "e2e/test_bad_input.py",
    "unit/reader_service/api/test_fuzz.py",
    "unit/registry/restore/test_restores.py",
    "unit/registry/batches/test_many_units.py",
    "unit/reader_service/services/issuing/test_lanes.py",
    "unit/reader_service/test_connections.py",
    "unit/personalize/sheets/test_sheets.py",
    "unit/reader_service/test_tls.py",
    "unit/registry/line/test_rivals.py",
    "unit/registry/db/test_faults.py",
    "unit/membercard/wiring/test_issuer_http.py",
    "cli/test_commands.py",
    "pages/",
    "e2e/",
    "property/",
    "architecture/",
)
"""Files and folders that take longest, longest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first: at the end of a parallel run one process does not wait minutes for the other."""
    tests = f"{Path(__file__).parent}/"

    def place(item: pytest.Item) -> int:
        path = str(item.path).removeprefix(tests)
        return next((place for place, start in enumerate(_LONGEST) if path.startswith(start)), len(_LONGEST))

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """What is there when the tests begin stays until the end."""
    gc.freeze()


def pytest_keyboard_interrupt(excinfo: pytest.ExceptionInfo[BaseException]) -> None:
    """From here on fixtures end, which another SIGTERM does not cut short."""
    signal.signal(signal.SIGTERM, lambda number, frame: None)


def pytest_configure(config: pytest.Config) -> None:
    # Workers only report; the session that sums up decides.
    if os.environ.get("CI") == "true" and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_SkipWatch(), "skip-watch")
