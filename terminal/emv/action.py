"""Terminal action analysis: which cryptogram the terminal asks for. EMV 4.4 Book 3, 10.7."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from terminal.emv.bits import TVR
from terminal.emv.config import Application, TerminalConfig
from terminal.emv.outcome import CryptogramType
from terminal.emv.steps import Stage, State

IAC_DEFAULT, IAC_DENIAL, IAC_ONLINE = 0x9F0D, 0x9F0E, 0x9F0F
_ALL: Final = b"\xff" * 5
_NONE: Final = bytes(5)
_SOURCE: Final = "EMV 4.4 Book 3, 10.7"


@dataclass(frozen=True, slots=True)
class ActionCodes:
    """Issuer's and terminal's codes of one kind, joined: any of these TVR bits brings the action about."""

    name: str
    bits: int

    def match(self, tvr: TVR) -> TVR:
        """The bits of the TVR that bring the action about."""
        return TVR(self.bits) & tvr


def codes(state: State, application: Application) -> tuple[ActionCodes, ActionCodes, ActionCodes]:
    """Denial, online and default. A card without codes denies nothing, and goes online for anything."""
    return (
        _joined(state, "denial", IAC_DENIAL, _NONE, application.tac_denial),
        _joined(state, "online", IAC_ONLINE, _ALL, application.tac_online),
        _joined(state, "default", IAC_DEFAULT, _ALL, application.tac_default),
    )


def _joined(state: State, name: str, tag: int, absent: bytes, own: str) -> ActionCodes:
    issuer = state.card.get(tag, absent)
    # A code of a wrong length is not the issuer's will; it counts as one that forbids what can be forbidden.
    issuer = issuer if len(issuer) == len(_ALL) else _ALL
    return ActionCodes(name, int.from_bytes(issuer, "big") | int(own, 16))


def analyse(state: State, config: TerminalConfig, application: Application) -> CryptogramType:
    """The cryptogram to ask for in the first GENERATE AC."""
    denial, online, default = codes(state, application)
    if hit := denial.match(state.tvr):
        return _decide(state, CryptogramType.AAC, f"the denial codes name {_words(hit)}")
    if config.terminal.online_only:
        return _decide(state, CryptogramType.ARQC, "this terminal asks the issuer about every transaction")
    if not config.terminal.offline_only:
        if hit := online.match(state.tvr):
            return _decide(state, CryptogramType.ARQC, f"the online codes name {_words(hit)}")
        return _decide(state, CryptogramType.TC, "no action code speaks against approval offline")
    return when_offline(state, application, default)


def when_offline(state: State, application: Application, default: ActionCodes | None = None) -> CryptogramType:
    """TC or AAC by the default codes: for a terminal that never goes online, or that cannot now."""
    default = default or codes(state, application)[2]
    if hit := default.match(state.tvr):
        return _decide(state, CryptogramType.AAC, f"without the issuer, the default codes name {_words(hit)}")
    return _decide(state, CryptogramType.TC, "the default codes allow approval without the issuer")


def _decide(state: State, kind: CryptogramType, text: str) -> CryptogramType:
    state.note(Stage.TERMINAL_ACTION, f"{text}: {kind.value} is to be asked for", _SOURCE)
    return kind


def _words(bits: TVR) -> str:
    return "; ".join(text or f"byte {byte}, b{bit}" for byte, bit, text in bits.places())
