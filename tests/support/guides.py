"""Blocks of a guide, run by bash as a reader pastes them: all of a page in one shell, in their order."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_MARK = "== block {} =="
_SHOW_STATUS = """curl() { command curl -sS -w '%{stderr}HTTP %{http_code}\\n' "$@"; }"""
"""Leaves standard output as it is and prints the status of each response on standard error."""


@dataclass(frozen=True)
class Ran:
    """What one block wrote."""

    block: str
    out: str
    err: str

    @property
    def statuses(self) -> list[int]:
        """Of the responses to its requests, with the last one of a loop that waits."""
        return [int(status) for status in re.findall(r"^HTTP (\d+)$", self.err, re.MULTILINE)]


def paste(blocks: Sequence[str], folder: Path, *, seconds: float) -> list[Ran]:
    """Run the blocks in ``folder``, with the program on the PATH and nothing of this machine's settings.

    Background jobs are ended with the shell. Raises subprocess.TimeoutExpired after ``seconds``.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MEMBERCARD_", "LC_"))}
    clean |= {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "LANG": "C.UTF-8"}
    script = [_SHOW_STATUS]
    for number, block in enumerate(blocks):
        script += [f"echo '{_MARK.format(number)}'; echo '{_MARK.format(number)}' >&2", block]
    with open(folder / ".out", "w+b") as out, open(folder / ".err", "w+b") as err:
        shell = subprocess.Popen(
            ["bash", "-c", "\n".join(script)],
            cwd=folder,
            env=clean,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        try:
            shell.wait(seconds)
        finally:
            _end(shell)
        texts = [Path(stream.name).read_text("utf-8") for stream in (out, err)]
    parts = [re.split(_MARK.format(r"\d+") + "\n", text)[1:] for text in texts]
    return [Ran(block, *written) for block, *written in zip(blocks, *parts, strict=True)]


def _end(shell: subprocess.Popen[bytes]) -> None:
    """The shell and what it left running."""
    try:
        os.killpg(shell.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    shell.wait()
