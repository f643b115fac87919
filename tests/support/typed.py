"""A `membercard` for the PATH of a shell: each call of it is forked from a process that has imported the program, with
the shell's directory, environment and files. The installed script has tests of its own
(tests/e2e/test_installed_program.py)."""

from __future__ import annotations

import json
import secrets
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.cli import zygote_for
from tests.support.waiting import PATIENCE
from tests.support.zygote import ForkedProcess, Streams

_CALL = """#!{python} -IS
import json, os, signal, socket, sys
files = [f"/proc/{{os.getpid()}}/fd/{{number}}" for number in (1, 2, 0)]
with socket.socket(socket.AF_UNIX) as line:
    line.connect({address!r})
    call = [sys.argv[1:], files, os.getcwd(), dict(os.environ)]
    line.sendall(json.dumps(call).encode() + b"\\n")
    status = int(line.makefile().readline() or 1)
if status < 0:
    signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)
os._exit(status)
"""
"""The script. The command is over when it has an answer, and ends when the script does."""


@contextmanager
def command_in(folder: Path) -> Iterator[Path]:
    """A new folder there for the front of a PATH, with the command in it, which works inside this block."""
    place = folder / ".bin"
    place.mkdir()
    address = f"\0membercard-{secrets.token_hex(8)}"  # in no folder: the path of one may be too long for a socket
    script = place / "membercard"
    script.write_text(_CALL.format(python=sys.executable, address=address), encoding="utf-8")
    script.chmod(0o755)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        calls: list[threading.Thread] = []
        accepting = threading.Thread(target=_accept, args=(listener, calls))
        accepting.start()
        try:
            yield place
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for thread in (accepting, *calls):
                thread.join(PATIENCE)


def _accept(listener: socket.socket, calls: list[threading.Thread]) -> None:
    while True:
        try:
            line, _ = listener.accept()
        except OSError:  # nobody listens any more
            return
        calls.append(threading.Thread(target=_run, args=(line,)))
        calls[-1].start()


def _run(line: socket.socket) -> None:
    """One call, from what it was given to its exit code; it does not outlive its script."""
    with line, line.makefile("rw") as texts:
        words, (out, err, given), directory, environment = json.loads(texts.readline())
        environment.setdefault("PYTHONWARNINGS", "default")  # the process it is forked from has "error"
        zygote = zygote_for(environment)
        pid = zygote.start(words, Streams(out, err, given), Path(directory), environment)
        process = ForkedProcess(zygote, pid)
        while (status := process.poll()) is None:
            ready, _, _ = select.select([line, process], [], [])
            if line in ready:  # the script is gone
                process.send_signal(signal.SIGTERM)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(PATIENCE)
                process.kill()
                return
        with suppress(BrokenPipeError):
            print(status, file=texts, flush=True)
