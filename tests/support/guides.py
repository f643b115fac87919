"""Blocks of a guide, run by bash as a reader pastes them: all of a page in one shell, in their order.

What a test may not do to the machine that it runs on has a stand-in, and all of these are here.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.support.paths import ROOT
from tests.support.typed import command_in

_MARK = "== block {} =="
_SHOW_STATUS = """curl() { command curl -sS -w '%{stderr}HTTP %{http_code}\\n' "$@"; }"""
"""Leaves standard output as it is and prints the status of each response on standard error."""

_FAILED = "FAILED: "
_SHOW_FAILURES = f"""set -E; trap 'echo "{_FAILED}$BASH_COMMAND" >&2' ERR"""
MACHINE = """
apt-get() { :; }
useradd() { :; }
systemctl() { echo "systemctl $*"; }
journalctl() { :; }
pip() { :; }
python3() { [ "$1 $2" = "-m venv" ] || command python3 "$@"; }
install() {  # for another user or group only root may
  local words=()
  while [ $# -gt 0 ]; do case $1 in -o|-g) shift 2 ;; *) words+=("$1"); shift ;; esac; done
  command install "${words[@]}"
}
su() { HOME=$SERVICE_HOME "$2" -c "$5"; }  # su -s SHELL USER -c COMMAND
"""
"""Shell functions in place of programs that change the machine: packages, users, services."""


@dataclass(frozen=True)
class NotRun:
    """A block that is not run with its page: how it begins, and why not."""

    start: str
    reason: str


def blocks(page: str, left_out: Sequence[NotRun] = ()) -> list[str]:
    """The blocks of a page of docs/, without those that are left out. Raises ValueError where one of these is none, or
    several."""
    texts = re.findall(r"^```[a-z]*\n(.*?)^```$", (ROOT / "docs" / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)
    for one in left_out:
        if sum(text.startswith(one.start) for text in texts) != 1:
            raise ValueError(f"docs/{page} has not one block that begins with {one.start!r}")
    return [text for text in texts if not text.startswith(tuple(one.start for one in left_out))]


def placed(block: str, stand_ins: Mapping[str, str]) -> str:
    """A block with what stands in for its places, names and ports. Raises ValueError for one that the block lacks."""
    if missing := [written for written in stand_ins if written not in block]:
        raise ValueError(f"no {missing} in {block!r}")
    for written, stand_in in stand_ins.items():
        block = block.replace(written, stand_in)
    return block


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

    @property
    def failed(self) -> list[str]:
        """Commands that ended with another exit code than 0, outside of conditions."""
        return re.findall(rf"^{_FAILED}(.*)$", self.err, re.MULTILINE)


def paste(
    blocks: Sequence[str], folder: Path, *, seconds: float, before: str = "", installed: bool = False
) -> list[Ran]:
    """Run the blocks in ``folder``, with the program on the PATH and nothing of this machine's settings. ``before`` is
    shell text that comes first: settings and stand-ins. Commands are forked, unless it is the ``installed`` script that
    is to run.

    Background jobs are ended with the shell. Raises subprocess.TimeoutExpired after ``seconds``.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MEMBERCARD_", "LC_"))}
    path = [str(Path(sys.executable).parent), os.environ["PATH"]]
    clean["LANG"] = "C.UTF-8"
    script = [_SHOW_STATUS, _SHOW_FAILURES, before]
    for number, block in enumerate(blocks):
        script += [f"echo '{_MARK.format(number)}'; echo '{_MARK.format(number)}' >&2", block]
    with ExitStack() as ending:
        if not installed:
            path.insert(0, str(ending.enter_context(command_in(folder))))
        # A forked command opens them once more, and writes to their ends as the shell does.
        out, err = (ending.enter_context(open(folder / name, "a+b")) for name in (".out", ".err"))
        shell = subprocess.Popen(
            ["bash", "-c", "\n".join(script)],
            cwd=folder,
            env={**clean, "PATH": ":".join(path)},
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
