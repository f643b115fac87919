"""The command line as a user runs it, and an issuer set up with it.

Every command is a process of its own. Most are forked from one that has imported the program already, which takes a
tenth of the time; with ``fresh`` it is the installed script.
"""

from __future__ import annotations

import atexit
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from terminal.keys import SoftwareKeystore
from terminal.secret import Secret
from tests.support import profiles
from tests.support.issuer import FAST, NAMES, id_number
from tests.support.waiting import PATIENCE
from tests.support.zygote import ForkedCommand, Streams, Zygote

SCRIPT = Path(sys.executable).with_name("membercard")
PASSPHRASE = "Zwoelf-Baeume-vor-dem-Haus"
FORM_HEAD = "序号,身份证号,姓名,性别,手机号码,所属单位"
# What may not leak in from the machine the tests run on.
_CLEAN = {k: v for k, v in os.environ.items() if not k.startswith("MEMBERCARD_") and k not in ("COLUMNS", "LC_ALL")}


@dataclass(frozen=True)
class Done:
    """A finished command."""

    args: tuple[str, ...]
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def complaint(self) -> str:
        """The one sentence on standard error, without the program's name."""
        lines = self.err.strip().splitlines()
        assert len(lines) == 1, f"{self.args}: not one sentence but {self.err!r}; stdout {self.out!r}"
        assert lines[0].startswith("membercard: "), lines[0]
        return lines[0].removeprefix("membercard: ")


@dataclass
class Cli:
    """Runs commands with settings of its own: everything in ``data``, working directory ``data``'s parent."""

    data: Path
    passphrase: str | None = PASSPHRASE
    simulation: bool = True
    bare: bool = False
    """Sets nothing, so that flags and a settings file say everything."""
    fresh: bool = False
    """Runs the installed script in an interpreter of its own."""
    profile: Path | None = profiles.FILE
    """None leaves it to the settings file, or to the program."""
    preloaded: tuple[str, ...] = ()
    """What is imported before a command is forked: the whole program, if not given."""

    def env(self, changes: Mapping[str, str] | None = None) -> dict[str, str]:
        own = {"PYTHONWARNINGS": "error", "LANG": "C.UTF-8"}
        if not self.bare:
            own |= {"MEMBERCARD_DATA_DIR": str(self.data), "MEMBERCARD_SIMULATION": str(self.simulation).lower()}
            if self.profile is not None:
                own["MEMBERCARD_PROFILE"] = str(self.profile)
        if self.passphrase is not None:
            own["MEMBERCARD_PASSPHRASE"] = self.passphrase
        return _CLEAN | own | dict(changes or {})

    def run(self, *args: object, env: Mapping[str, str] | None = None, **options: Any) -> Done:
        """Run to the end, whatever it comes to. No terminal, nothing on standard input unless ``input``; with
        ``limits`` as ``Zygote.start`` has them."""
        words, environment = tuple(map(str, args)), self.env(env)
        options = {"cwd": self.data.parent, "timeout": PATIENCE} | options
        if self.fresh or not options.keys() <= {"cwd", "timeout", "input", "limits"}:
            return self._script(words, environment, options)
        return _forked(zygote_for(environment, *self.preloaded), words, environment, **options)

    def _script(self, words: tuple[str, ...], environment: Mapping[str, str], options: dict[str, Any]) -> Done:
        if "input" not in options:
            options["stdin"] = subprocess.DEVNULL
        ran = subprocess.run(
            [SCRIPT, *words], capture_output=True, encoding="utf-8", env=environment, check=False, **options
        )
        return Done(words, ran.returncode, ran.stdout, ran.stderr)

    def ok(self, *args: object, **options: Any) -> Done:
        """Run a command that has to succeed."""
        done = self.run(*args, **options)
        assert done.status == 0, f"{done.args}: {done.status}\n{done.out}\n{done.err}"
        return done

    def publish_programme(self, file: Path, to: Path | None = None, days: int = 90, config: Path | None = None) -> Done:
        """Hand a programme in by one person, and publish it by another."""
        begin = () if config is None else ("--config", config)
        self.ok(*begin, "programme", "publish", file, "--days", days, "--by", "王芳")
        listed = self.ok(*begin, "programme", "proposals", "--json").json["proposals"]
        there = () if to is None else ("--to", to)
        return self.ok(*begin, "programme", "confirm", listed[0]["number"], "--by", "李娜", *there)

    def start(self, *args: object, env: Mapping[str, str] | None = None) -> ForkedCommand:
        """Start it in a process group of its own, as a terminal does, for as long as this process lives."""
        environment = self.env(env)
        zygote = zygote_for(environment, *self.preloaded)
        return zygote.begin([*map(str, args)], self.data.parent, environment)

    def set_up(self) -> None:
        """An issuer's keys and an empty registry, as `membercard keys init` and the next command leave them: copies of
        the first that this process made."""
        assert (self.simulation, self.passphrase) == (True, PASSPHRASE)
        self.data.mkdir(mode=0o700, parents=True)
        for name, content in _new_issuer().items():
            (self.data / name).touch(mode=0o600)
            (self.data / name).write_bytes(content)


@cache
def _new_issuer() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as place:
        cli = Cli(Path(place) / "data")
        cli.ok("keys", "init")
        unlock_fast(cli.data / "keystore")
        cli.ok("batch", "list")
        return {path.name: path.read_bytes() for path in cli.data.iterdir()}


def unlock_fast(path: Path) -> None:
    """The same keystore at the least cost of a passphrase: deriving its key took a third of a command."""
    passphrase = Secret(PASSPHRASE.encode())
    keys = SoftwareKeystore.unlock(path, passphrase)
    path.unlink()
    SoftwareKeystore.create(path, passphrase, simulation=True, contents=keys, cost=FAST)


def zygote_for(environment: Mapping[str, str], *preloaded: str) -> Zygote:
    """One for each test process, and for each choice of what an interpreter looks at only when it starts and of what
    it has imported (the whole program, if not given)."""
    at_start = {name: value for name, value in environment.items() if name.startswith(("PYTHON", "LC_", "LANG"))}
    # A forked process sees to these two, and the program reads the language of a locale from the environment.
    at_start |= {"PYTHONWARNINGS": "error", "PYTHONIOENCODING": ""}
    alike = {name: "C.UTF-8" if value.endswith(".UTF-8") else value for name, value in at_start.items()}
    return _zygote(frozenset(alike.items()), preloaded)


@cache
def _zygote(at_start: frozenset[tuple[str, str]], preloaded: Sequence[str]) -> Zygote:
    zygote = Zygote(_CLEAN | dict(at_start), preloaded)
    atexit.register(zygote.close)
    return zygote


def _forked(
    zygote: Zygote,
    words: Sequence[str],
    environment: Mapping[str, str],
    cwd: Path,
    timeout: float,
    input: str | None = None,
    limits: Mapping[str, float] | None = None,
) -> Done:
    with tempfile.TemporaryDirectory() as place:
        out, err, given = Path(place, "out"), Path(place, "err"), Path(place, "given")
        given.write_text(input or "", "utf-8")
        streams = Streams(str(out), str(err), str(given))
        pid = zygote.start(words, streams, cwd, environment, limits=limits)
        process = os.pidfd_open(pid)
        try:
            ended, _, _ = select.select([process], [], [], timeout)
            if not ended:
                signal.pidfd_send_signal(process, signal.SIGKILL)
        finally:
            os.close(process)
        status = zygote.status(pid)
        if not ended:
            raise subprocess.TimeoutExpired(["membercard", *words], timeout)
        return Done(tuple(words), status, out.read_text("utf-8"), err.read_text("utf-8"))


def csv_form(path: Path, count: int, *, start: int = 1, unit: str = "测试工会", bad: int = 0) -> Path:
    """A registration form of ``count`` sound rows, then ``bad`` rows whose ID number has a wrong check character."""
    lines = [FORM_HEAD]
    for serial in range(start, start + count + bad):
        number = id_number(serial)
        gender = "男" if int(number[16]) % 2 else "女"
        name = NAMES[serial % len(NAMES)] + NAMES[serial * 7 % len(NAMES)]
        if serial >= start + count:
            number = number[:-1] + ("0" if number[-1] != "0" else "1")
        lines.append(f"{serial},{number},{name},{gender},138{serial:08d},{unit}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@dataclass(frozen=True)
class IssuerDirectory:
    """An issuer that has done one batch and has a draft and blanks left."""

    cli: Cli
    root: Path
    done: str
    draft: str
    form: Path
    origin: Path | None = None
    """Where nobody changes it, if it is shared."""

    def copy(self, root: Path) -> IssuerDirectory:
        """The same issuer in another directory, to be changed: as it was issued, whatever other tests did since."""
        shutil.copytree(self.origin or self.root, root)
        return replace(self, cli=replace(self.cli, data=root / "data"), root=root, origin=None)

    @property
    def stock(self) -> Path:
        return self.root / "stock"

    @property
    def card(self) -> str:
        """Reader URL of a verified member card."""
        return f"sim:{sorted((self.stock / 'issued').glob('*.card'))[0]}"

    @property
    def blank(self) -> str:
        return f"sim:{sorted(self.stock.glob('*.card'))[0]}"


def issued_once(shared: Path, own: Path, **batch: Any) -> IssuerDirectory:
    """A copy in ``own`` of the issuer in ``shared``, for several test processes of one run: whoever comes first makes
    it there, with ``issue_batch``, and the others wait."""
    origin, about = shared / own.name, shared / f"{own.name}.json"
    with (shared / f"{own.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not about.exists():
            shutil.rmtree(origin, ignore_errors=True)
            issuer = issue_batch(origin, **batch)
            about.write_text(json.dumps({"done": issuer.done, "draft": issuer.draft}), "utf-8")
    known = json.loads(about.read_text("utf-8"))
    copy = IssuerDirectory(Cli(origin / "data"), origin, **known, form=own / "form.csv").copy(own)
    copy.cli.ok("batch", "list")  # the record beside the database knows it by its place from here on
    return replace(copy, origin=origin)


def issue_batch(
    root: Path, members: int = 3, *, spare: int = 2, unit: str = "测试工会", own_keys: bool = False
) -> IssuerDirectory:
    """The main job, typed: a form with rejects, approval, dossiers, blanks, personalization. With ``own_keys`` the keys
    too: otherwise they are those of other issuers of this process."""
    cli = Cli(root / "data")
    root.mkdir(parents=True, exist_ok=True)
    if own_keys:
        cli.ok("keys", "init")
        unlock_fast(cli.data / "keystore")
    else:
        cli.set_up()
    form = csv_form(root / "form.csv", members, unit=unit, bad=2)
    batch = cli.ok("roster", "import", form, "--by", "clerk", "--json").json["batch"]
    cli.ok("batch", "approve", batch, "--by", "reviewer")
    cli.ok("batch", "prepare", batch)
    cli.ok("sim", "stock", root / "stock", "--count", members + spare)
    cli.ok("stock", "receive", members + spare, "--supplier-batch", "L-1")
    cli.ok("perso", "run", batch, "--reader", f"sim:{root / 'stock'}", "--lanes", 2)
    second = csv_form(root / "second.csv", 2, start=500, unit=unit)
    draft = cli.ok("roster", "import", second, "--by", "clerk", "--json").json["batch"]
    return IssuerDirectory(cli, root, batch, draft, form)
