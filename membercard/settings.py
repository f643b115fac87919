"""Settings: data directory, database, keystore, profile, station. From flags, environment or a TOML file.

Precedence: command-line flag, then ``MEMBERCARD_*`` in the environment, then the TOML file named by ``--config`` or
``MEMBERCARD_CONFIG`` (default ``membercard.toml`` in the data directory), then the defaults here.
"""

from __future__ import annotations

import getpass
import os
import re
import socket
import sys
import tomllib
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator

from membercard.errors import SettingsError
from membercard.language import text
from terminal import private_files
from terminal.errors import CodecError, KeystoreLocked
from terminal.localtime import CHINA, time_zone
from terminal.secret import Secret

if TYPE_CHECKING:
    from registry.store import Registry
    from terminal.keys import KeyCustody, SoftwareKeystore


REGISTRY_RECORD = "registry-record.json"
"""File in the data directory that shows when an older backup takes the database's place."""
_PASSWORD = re.compile(r"(://[^:/@]*):[^@]*@")


def default_data_dir() -> Path:
    """XDG data home, as the freedesktop base directory specification has it."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "membercard"


def _user() -> str:
    """The user who runs this; by number where the system has no name, as in a minimal container."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"


def _machine_time() -> datetime:
    return datetime.now(UTC)


class Settings(BaseModel):
    """The settings of a command. Unset paths are in the data directory."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    data_dir: Path = Field(default_factory=default_data_dir)
    database_url: str = ""
    keystore: Path = Path()
    passphrase_file: Path | None = None
    token_file: Path | None = None
    """File with the token that works on the command line, instead of MEMBERCARD_TOKEN."""
    profile: Path | None = None
    simulation: bool = False
    station: str = Field(default_factory=socket.gethostname)
    operator: str = Field(default_factory=_user)
    hotlist_days: float = Field(7, gt=0, le=366)
    """Age in days from which a counter's hotlist is too old: a good card is then no longer ACTIVE."""
    lease_seconds: float = Field(120, ge=1, le=86400)
    """How long a lane holds a claimed chip; only after that can the chip be reported as lost."""
    counters_activate: bool = False
    """Whether the counters of this station may activate cards, as a window does."""
    time_zone: str = CHINA
    """IANA name of the zone that dates cards, batches, pages, tables and files, whatever the machine's zone is."""
    dossier_days: int = Field(366, ge=1, le=3660)
    """Card data older than that stop the line: they are out of date, or the clock is wrong."""
    card_body: Literal["here", "elsewhere"] = "here"
    """Where stripe and face of the cards are made: by the machines of the lanes, or by somebody else."""

    merchant: str = Field("", max_length=15, pattern=r"^[ -~]*$")
    """Merchant identifier (9F16) of a counter that redeems benefits; empty where nothing is redeemed."""
    merchant_terminal: str = Field("", pattern=r"^([0-9A-Za-z]{8})?$")
    """Terminal identification (9F1C) of this counter: 8 letters and digits."""
    merchant_name: str = Field("", max_length=60)
    """What stands on receipts; the merchant identifier where it is empty."""
    merchant_kinds: tuple[str, ...] = ()
    """Kinds of merchant, as the programme names them: they say which benefits are redeemed here."""
    receipt_printer: str = ""
    """ESC/POS printer of receipts: tcp://HOST[:PORT], serial:/dev/ttyUSB0[?baud=19200] or file:/dev/usb/lp0."""

    upload_url: str = ""
    """Where the office of this counter is; empty where the office is this installation."""
    upload_token_file: Path | None = None
    """File with the token of the counter's outlet at the office."""

    _clock: Callable[[], datetime] = PrivateAttr(default_factory=lambda: _machine_time)

    @field_validator("merchant_kinds", mode="before")
    @classmethod
    def _separated(cls, kinds: object) -> object:
        """From the environment: names with commas between."""
        return tuple(kind.strip() for kind in kinds.split(",") if kind.strip()) if isinstance(kinds, str) else kinds

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            return time_zone(name).key
        except CodecError as e:
            raise ValueError(str(e)) from None

    def model_post_init(self, _context: object) -> None:
        if not self.database_url:
            self.database_url = f"sqlite:///{self.data_dir / 'membercard.db'}"
        if self.keystore == Path():
            self.keystore = self.data_dir / "keystore"

    @property
    def zone(self) -> ZoneInfo:
        """The zone of ``time_zone``."""
        return time_zone(self.time_zone)

    def now(self) -> datetime:
        """The present time in ``zone``."""
        return self.clock().astimezone(self.zone)

    @property
    def clock(self) -> Callable[[], datetime]:
        """The clock, which gives the time in UTC."""
        return self._clock

    def follow(self, clock: Callable[[], datetime]) -> None:
        """Take the time from another clock than the machine's, as a demo does that tells what was before."""
        self._clock = clock

    def today(self) -> date:
        """The calendar day in ``zone``."""
        return self.now().date()

    @property
    def ca_keys(self) -> Path:
        """CA keys of payment schemes, where they are not in the issuer's own keystore."""
        return self.data_dir / "ca-keys.yaml"

    @property
    def terminal(self) -> Path:
        """The payment terminal's configuration, where it is not the shipped one."""
        return self.data_dir / "terminal.yaml"

    @property
    def database_label(self) -> str:
        """The database URL without its password."""
        return _PASSWORD.sub(r"\1:***@", self.database_url)

    def passphrase(self) -> Secret:
        """The keystore's passphrase: from MEMBERCARD_PASSPHRASE, from passphrase_file, or typed at the terminal."""
        if "MEMBERCARD_PASSPHRASE" in os.environ:
            return Secret(os.environ["MEMBERCARD_PASSPHRASE"].encode())
        if self.passphrase_file is not None:
            private_files.tighten(self.passphrase_file, "the passphrase file", required=True)
            try:
                return Secret(self.passphrase_file.read_bytes().rstrip(b"\r\n"))
            except OSError as e:
                raise KeystoreLocked(f"cannot read the passphrase file {self.passphrase_file}: {e.strerror}") from e
        if not sys.stdin.isatty():
            raise KeystoreLocked(
                f"the keystore {self.keystore} needs its passphrase: set MEMBERCARD_PASSPHRASE or passphrase_file, "
                "or run this at a terminal"
            )
        return Secret(getpass.getpass(text("Passphrase of {keystore}: ", keystore=self.keystore)).encode())


_active: ContextVar[Settings | None] = ContextVar("settings", default=None)


def activate(config: Path | None, **flags: Any) -> Settings:
    """Read the settings once for this command. ``flags`` that are None were not given. Raises SettingsError."""
    given = {name: value for name, value in flags.items() if value is not None}
    data_dir = Path(given.get("data_dir") or os.environ.get("MEMBERCARD_DATA_DIR") or default_data_dir())
    named = config or (Path(os.environ["MEMBERCARD_CONFIG"]) if "MEMBERCARD_CONFIG" in os.environ else None)
    path = named or data_dir / "membercard.toml"
    from_file: dict[str, Any] = {}
    if named is not None or path.exists():
        try:
            from_file = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as e:
            raise SettingsError(f"cannot read the settings file {path}: {e.strerror}") from e
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
            raise SettingsError(f"the settings file {path} is not TOML: {e}") from e
    variables = {name: f"MEMBERCARD_{name.upper()}" for name in Settings.model_fields}
    environment = {name: os.environ[variable] for name, variable in variables.items() if variable in os.environ}
    try:
        settings = Settings.model_validate(from_file | environment | given)
    except ValidationError as e:
        faults = "; ".join(
            f"{'.'.join(map(str, f['loc']))}: {_in_words(f['type'], f['msg'])}" for f in e.errors(include_input=False)
        )
        places = "MEMBERCARD_* and flags" if not from_file else f"{path}, MEMBERCARD_* and flags"
        raise SettingsError(f"the settings ({places}) have faults: {faults}") from e
    if from_file and _PASSWORD.search(str(from_file.get("database_url", ""))):
        private_files.tighten(path, "the settings file with the database password", required=True)
    _active.set(settings)
    return settings


def _in_words(kind: str, message: str) -> str:
    return {"extra_forbidden": "there is no such setting", "bool_parsing": "true or false is wanted"}.get(
        kind, message.removeprefix("Value error, ")
    )


def load() -> Settings:
    """The settings of the running command; read on first use."""
    return _active.get() or activate(None)


def open_keystore() -> SoftwareKeystore:
    """The software keystore, unlocked. Raises KeystoreLocked, KeystoreDamaged."""
    from terminal.keys import SoftwareKeystore  # not needed by every command, and slow to import

    settings = load()
    if not settings.keystore.exists():
        raise KeystoreLocked(f"there is no keystore at {settings.keystore}; make one with: membercard keys init")
    passphrase = settings.passphrase()
    try:
        return SoftwareKeystore.unlock(settings.keystore, passphrase)
    except KeystoreLocked as e:
        raise KeystoreLocked(
            f"{e}; give the right one by MEMBERCARD_PASSPHRASE, passphrase_file or at a terminal"
        ) from e


def open_registry(custody: KeyCustody | None = None) -> Registry:
    """The registry, migrated to this program's schema."""
    from registry.store import Registry  # imports the database libraries

    settings = load()
    custody = custody or open_keystore()
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=private_files.FOLDER_MODE)
    record = settings.data_dir / REGISTRY_RECORD
    return Registry.open(settings.database_url, custody, clock=settings.clock, zone=settings.zone, record=record)
