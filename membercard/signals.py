"""Signals that end a command. They are taken before anything slow is imported: a command ends in good order at any
moment."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Final

SHELL: Final = 128
"""A shell shows a signal as exit code 128 plus its number."""
_hang_ups: list[int] = []
"""Hang-ups received before it was known what they mean to the command."""


class Ended(SystemExit):
    """SIGTERM or SIGHUP asked the process to end; ``code`` is 128 plus the number of the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(SHELL + number)
        self.name = signal.Signals(number).name


def take() -> None:
    """Let SIGTERM raise Ended in the main thread, as Ctrl-C raises KeyboardInterrupt there, and remember SIGHUP until
    ``hang_up_ends`` or ``hang_up_waits`` is called. Signals that are ignored (nohup) or handled already stay so."""
    if threading.current_thread() is threading.main_thread():
        for number, handler in ((signal.SIGTERM, _end), (signal.SIGHUP, _remember)):
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, handler)


def hang_up_ends() -> None:
    """Let SIGHUP raise Ended too, now if it was received before."""
    if signal.getsignal(signal.SIGHUP) is _remember:
        signal.signal(signal.SIGHUP, _end)
        if _hang_ups:
            raise Ended(signal.SIGHUP)


def hang_up_waits() -> None:
    """Hold SIGHUP back for the part of the program that takes it, also one that was received before."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    if _hang_ups:
        signal.raise_signal(signal.SIGHUP)


def _end(number: int, _frame: FrameType | None) -> None:
    raise Ended(number)


def _remember(number: int, _frame: FrameType | None) -> None:
    _hang_ups.append(number)
