"""What the member application remembers between redemptions, in the card's memory. docs/redemption.md."""

from __future__ import annotations

from datetime import date
from typing import Final

from simulators.applets.member.data import LOG_FORMAT, LOG_RECORDS
from simulators.applets.member.entitlements import card_date
from simulators.card.applet import AppletMemory
from terminal.tlv import Dol, Tag

LAST_COUNTER: Final = 0xFFFF
_LAST_DATE, _SET_BACK, _LAST_REQUEST = "last date", "date set back", "last request"
_SCRIPTS, _SCRIPTS_AT_TC, _SCRIPT_MAC_FAILED = "scripts", "scripts at tc", "script mac failed"
_BLOCKED: Final = "blocked"
_FORMAT: Final = Dol.parse(LOG_FORMAT)


class MemberState:
    """Counters, log and indicators of one instance. ``memory.transaction`` makes several changes atomic."""

    def __init__(self, memory: AppletMemory) -> None:
        self.memory = memory

    @property
    def atc(self) -> int:
        """The number of TCs since issue: each has one log record."""
        return self._number("atc")

    @property
    def last_date(self) -> bytes:
        """9A of the last TC, 000000 before the first."""
        return self.memory.get(_LAST_DATE, bytes(3))

    @property
    def date_set_back(self) -> bytes:
        """The latest date that a script replaced by an earlier one, 000000 without."""
        return self.memory.get(_SET_BACK, bytes(3))

    @property
    def last_request(self) -> bytes | None:
        """The CDOL1 values of the last TC, None before the first."""
        return self.memory.get(_LAST_REQUEST)

    @property
    def script_counter(self) -> int:
        """Script commands executed since issue."""
        return self._number(_SCRIPTS)

    @property
    def script_executed(self) -> bool:
        """Whether a script command was executed since the last TC."""
        return self.script_counter != self._number(_SCRIPTS_AT_TC)

    @property
    def script_mac_failed(self) -> bool:
        """Whether a script command had a wrong MAC since the last executed one."""
        return bool(self._number(_SCRIPT_MAC_FAILED))

    @property
    def blocked(self) -> bool:
        return bool(self._number(_BLOCKED))

    def log_record(self, number: int) -> bytes | None:
        """Record ``number`` of the log, 1 is the newest; None for one that is not there."""
        if not 1 <= number <= min(self.atc, LOG_RECORDS):
            return None
        return self.memory[self._log_name(self.atc - number)]

    def newest(self) -> dict[Tag, bytes]:
        """The values of the newest log record by tag. Call it only after a TC."""
        return _FORMAT.split(self.memory[self._log_name(self.atc - 1)])

    def record_approval(self, request: bytes, values: dict[Tag, bytes]) -> None:
        """Write what a TC leaves besides the entitlement, inside its transaction: ``request`` are its CDOL1 values,
        ``values`` these by tag and those of the answer."""
        count = self.atc
        self.memory[self._log_name(count)] = _FORMAT.fill({int(tag): value for tag, value in values.items()})
        self._set("atc", count + 1, 2)
        self.memory[_LAST_DATE] = values[Tag(0x9A)]
        self.memory[_LAST_REQUEST] = request
        if self.script_executed:
            self._set(_SCRIPTS_AT_TC, self.script_counter, 2)

    def set_last_date(self, value: bytes) -> None:
        """Replace the last date, inside a transaction. Both are dates or 000000."""
        before = self.last_date
        if _order(value) < _order(before):
            self.memory[_SET_BACK] = max(before, self.date_set_back, key=_order)
        self.memory[_LAST_DATE] = value

    def record_script(self) -> None:
        """Count an executed script command, inside its transaction."""
        self._set(_SCRIPTS, self.script_counter + 1, 2)
        if self.script_mac_failed:
            self._set(_SCRIPT_MAC_FAILED, 0, 1)

    def record_script_refused(self) -> None:
        """Note a script command with a wrong MAC."""
        self._set(_SCRIPT_MAC_FAILED, 1, 1)

    def set_blocked(self, *, on: bool) -> None:
        if on != self.blocked:
            self._set(_BLOCKED, int(on), 1)

    def _number(self, name: str) -> int:
        return int.from_bytes(self.memory.get(name, b""), "big")

    def _set(self, name: str, value: int, width: int) -> None:
        self.memory[name] = value.to_bytes(width, "big")

    @staticmethod
    def _log_name(count: int) -> str:
        return f"log {count % LOG_RECORDS}"


def _order(value: bytes) -> date:
    """A date of the card to compare: 000000 comes before all."""
    return card_date(value) or date.min
