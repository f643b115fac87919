"""Terminal action analysis: which cryptogram the terminal requests. EMV 4.4 Book 3, 10.7."""

from __future__ import annotations

from typing import Final

from terminal.emv.data.bits import TVR
from terminal.emv.data.tags import TAG_9F0D_IAC_DEFAULT, TAG_9F0E_IAC_DENIAL, TAG_9F0F_IAC_ONLINE
from terminal.emv.transaction.config import ApplicationSettings, TerminalConfig
from terminal.emv.transaction.outcome import CryptogramType
from terminal.emv.transaction.state import TransactionState
from terminal.emv.transaction.step import KernelStage

_ALL: Final = b"\xff" * 5
_NONE: Final = bytes(5)
_SOURCE: Final = "EMV 4.4 Book 3, 10.7"


def analyse(state: TransactionState, config: TerminalConfig, application: ApplicationSettings) -> CryptogramType:
    """The cryptogram to request in the first GENERATE AC. Without issuer action codes nothing is denied, and any TVR
    bit sends the transaction online."""
    if hit := _named(state, TAG_9F0E_IAC_DENIAL, _NONE, application.tac_denial):
        return _decide(state, CryptogramType.AAC, f"the denial codes name {_words(hit)}")
    terminal = config.terminal
    if terminal.online_only:
        return _decide(state, CryptogramType.ARQC, "this terminal asks the issuer about every transaction")
    if terminal.offline_only:
        return when_offline(state, application)
    if hit := _named(state, TAG_9F0F_IAC_ONLINE, _ALL, application.tac_online):
        return _decide(state, CryptogramType.ARQC, f"the online codes name {_words(hit)}")
    return _decide(state, CryptogramType.TC, "no action code speaks against approval offline")


def when_offline(state: TransactionState, application: ApplicationSettings) -> CryptogramType:
    """TC or AAC by the default codes: for a terminal that is offline only, or unable to go online."""
    if hit := _named(state, TAG_9F0D_IAC_DEFAULT, _ALL, application.tac_default):
        return _decide(state, CryptogramType.AAC, f"without the issuer, the default codes name {_words(hit)}")
    return _decide(state, CryptogramType.TC, "the default codes allow approval without the issuer")


def _named(state: TransactionState, tag: int, absent: bytes, own: str) -> int:
    """The bits of the TVR that the action codes of issuer or terminal name."""
    issuer = state.card.get(tag, absent)
    # A code of a wrong length counts as one with every bit set.
    issuer = issuer if len(issuer) == len(_ALL) else _ALL
    return (int.from_bytes(issuer, "big") | int(own, 16)) & state.tvr_bits


def _decide(state: TransactionState, kind: CryptogramType, text: str) -> CryptogramType:
    state.note(KernelStage.TERMINAL_ACTION, f"{text}: {kind} is to be asked for", _SOURCE)
    return kind


def _words(bits: int) -> str:
    return "; ".join(f'"{text}"' if text else f"byte {byte}, b{bit}" for byte, bit, text in TVR(bits).places())
