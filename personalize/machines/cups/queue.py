"""A print queue of CUPS, through the system's ``lp``, ``lpstat`` and ``cancel``: their output is stable and they know
every kind of server, printer and driver. A page goes to ``lp`` through a pipe and to no file of ours."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from personalize.machines.faults import MachineFault
from personalize.machines.faults import MachineFaultCode as Code
from terminal.errors import ReaderFault, ReaderNotFound

QUEUE_NAME: Final = re.compile(r"(?!-)[^\s/#?'\"\\]{1,127}")
_COMMAND_SECONDS: Final = 30.0
_LOOK_AGAIN: Final = 0.5
_JOB: Final = re.compile(r"request id is (?P<job>\S+-[0-9]+)")
_STATE: Final = re.compile(r"printer \S+ (?P<state>is idle|now printing|disabled)")
_ALERTS: Final[tuple[tuple[str, Code], ...]] = (
    ("cover-open", Code.COVER),
    ("door-open", Code.COVER),
    ("media-jam", Code.JAM),
    ("media-empty", Code.FEEDER_EMPTY),
    ("media-needed", Code.FEEDER_EMPTY),
    ("marker-supply-empty", Code.RIBBON),
    ("marker-supply-missing", Code.RIBBON),
    ("output-area-full", Code.REJECT_FULL),
    ("offline", Code.NO_ANSWER),
    ("timed-out", Code.NO_ANSWER),
    ("connecting-to-device", Code.NO_ANSWER),
    ("shutdown", Code.POWER),
)
"""Beginnings and parts of printer-state-reasons that stop a card printer. RFC 8011, 5.4.12; PWG 5100.9."""
_DETAILS: Final = {
    Code.COVER: "the cover is open",
    Code.JAM: "a card is jammed",
    Code.FEEDER_EMPTY: "the feeder is empty",
    Code.RIBBON: "the ribbon is out or absent",
    Code.REJECT_FULL: "the box for cards is full",
    Code.NO_ANSWER: "the printer does not answer",
    Code.POWER: "the printer is off",
}
_ENDED: Final = re.compile(r"aborted|canceled|stopped")


class QueueState(NamedTuple):
    """``alerts`` are the reasons of the printer's state, as CUPS gives them."""

    enabled: bool
    printing: bool
    alerts: tuple[str, ...]
    reason: str
    """Why it is disabled, in the words of CUPS."""

    @property
    def faults(self) -> tuple[Code, ...]:
        codes = [code for alert in self.alerts for part, code in _ALERTS if part in alert and "warning" not in alert]
        return tuple(dict.fromkeys(codes))


class PrintQueue:
    """One queue. Raises ReaderNotFound for one that CUPS does not have, and where CUPS' commands are not installed."""

    def __init__(
        self,
        queue: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self.name = f"cups:{queue}"
        self._queue, self._clock, self._pause = queue, clock, pause
        self.state()

    def state(self) -> QueueState:
        """The queue now. Raises ReaderNotFound, ReaderFault."""
        done = self._run("lpstat", ["-l", "-p", self._queue])
        match = _STATE.search(done)
        if match is None:
            raise ReaderNotFound(f"CUPS has no queue {self._queue}; lpstat -e lists those there are")
        lines = [line.strip() for line in done.splitlines()[1:]]
        alerts = next((line.partition(":")[2] for line in lines if line.startswith("Alerts:")), "")
        reason = next((line for line in lines if line and ":" not in line), "")
        return QueueState(
            enabled=match["state"] != "disabled",
            printing=match["state"] == "now printing",
            alerts=tuple(alert for alert in re.split(r"[\s,]+", alerts.strip()) if alert and alert != "none"),
            reason=reason,
        )

    def print(self, page: bytes, options: Sequence[str], seconds: float) -> None:
        """Print a document (PDF), and wait until CUPS has handed all of it to the printer. A job that does not end is
        cancelled, so that it is not printed later on another card.

        Raises MachineFault: with ``spoiled`` once the job was accepted.
        """
        state = self.state()
        if not state.enabled or state.faults:
            raise self._stopped(state, spoiled=False)
        title = ["-t", "membercard"]
        answer = self._run("lp", ["-d", self._queue, *title, *(f"-o{option}" for option in options), "-"], page)
        match = _JOB.search(answer)
        if match is None:
            raise MachineFault(self.name, Code.COMMAND, "CUPS did not accept the print")
        self._wait(match["job"], seconds)

    def _wait(self, job: str, seconds: float) -> None:
        until = self._clock() + seconds
        try:
            while self._listed(job, "not-completed") is not None:
                state = self.state()
                if not state.enabled or state.faults:
                    raise self._stopped(state, spoiled=True)
                if self._clock() >= until:
                    late = f"the print did not end within {seconds:g} s"
                    raise MachineFault(self.name, Code.NO_ANSWER, late, spoiled=True)
                self._pause(_LOOK_AGAIN)
        except BaseException:
            self._run("cancel", [job], fails=True)
            raise
        ended = self._listed(job, "completed")
        if ended is not None and _ENDED.search(ended):
            raise MachineFault(self.name, Code.COMMAND, "CUPS ended the print before its end", spoiled=True)

    def _listed(self, job: str, which: str) -> str | None:
        """What CUPS says of a job among these; None where it is not among them."""
        said = re.split(r"^(?=\S)", self._run("lpstat", ["-W", which, "-l", "-o", self._queue]), flags=re.MULTILINE)
        return next((entry for entry in said if entry.split(maxsplit=1)[:1] == [job]), None)

    def _stopped(self, state: QueueState, *, spoiled: bool) -> MachineFault:
        if state.faults:
            return MachineFault(self.name, state.faults[0], _DETAILS[state.faults[0]], spoiled=spoiled)
        detail = f"its queue is stopped ({state.reason or 'no reason given'})"
        return MachineFault(self.name, Code.NO_ANSWER, detail, spoiled=spoiled)

    def _run(self, command: str, arguments: Sequence[str], data: bytes = b"", *, fails: bool = False) -> str:
        """The output of a command of CUPS in English. Errors are output too: what was not found is not in it."""
        path = shutil.which(command)
        if path is None:
            raise ReaderNotFound(f"{command} is not installed; apt install cups-client, and cups where the queue is")
        try:
            done = subprocess.run(  # noqa: S603 - a command of the system with arguments of ours
                [path, *arguments],
                input=data,
                capture_output=True,
                timeout=_COMMAND_SECONDS,
                check=False,
                env={**os.environ, "LC_ALL": "C", "LANGUAGE": "C"},
            )
        except subprocess.TimeoutExpired:
            if fails:
                return ""
            raise ReaderFault(f"CUPS does not answer within {_COMMAND_SECONDS:g} s; systemctl restart cups") from None
        error = done.stderr.decode("utf-8", "replace")
        if not fails and re.search("refused|Unable to connect|No such file|Bad file descriptor", error):
            raise ReaderFault("CUPS does not run; systemctl start cups")
        return done.stdout.decode("utf-8", "replace")
