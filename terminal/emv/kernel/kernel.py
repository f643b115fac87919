"""A whole contact transaction: ``run_transaction``. EMV 4.4 Book 3, 8.2 (the order of the functions); Book 4, 6.3.

This module only fixes the order: each function has its own module, works on one ``TransactionState`` and notes its
steps there.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from terminal.apdu import Sender
from terminal.emv.authentication.authentication import (
    Authentication,
    authenticate,
    combined_missing,
    signed_data,
    verify_combined,
)
from terminal.emv.authentication.cakeys import CaStore
from terminal.emv.authentication.rsa import CombinedData
from terminal.emv.cardholder_verification.cvm import OnlinePin, verify_cardholder
from terminal.emv.completion.completion import Completion, unfinished
from terminal.emv.completion.cryptogram import GenerateAcResponse
from terminal.emv.data.tags import TAG_9F06_TERMINAL_AID, TAG_9F7A_ECASH_INDICATOR
from terminal.emv.risk import ecash
from terminal.emv.risk.restrictions import check_restrictions
from terminal.emv.risk.risk import Recent, manage, one_to_99
from terminal.emv.selection.application import open_application, read_application
from terminal.emv.selection.selection import Selected, Supported
from terminal.emv.transaction.config import TerminalConfig
from terminal.emv.transaction.exchange import FAULTY_ICC
from terminal.emv.transaction.outcome import Outcome, Result
from terminal.emv.transaction.protocols import Attendant, Cardholder, OnlineHost
from terminal.emv.transaction.state import Stop, TransactionState
from terminal.emv.transaction.step import KernelStage
from terminal.emv.transaction.transaction import Transaction
from terminal.errors import CardError, CodecError, TransportError
from terminal.tlv import Tlvs


def run_transaction(
    sender: Sender,
    config: TerminalConfig,
    transaction: Transaction,
    *,
    keys: CaStore,
    cardholder: Cardholder | None = None,
    host: OnlineHost | None = None,
    attendant: Attendant | None = None,
    online_pin: OnlinePin | None = None,
    pin_pad: bool = True,
    recent: Recent | None = None,
    draw: Callable[[], int] = one_to_99,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> Outcome:
    """Run one transaction with the card behind ``sender``; every behaviour of the card ends in an outcome.

    ``cardholder`` None is a terminal without display and PIN pad; ``host`` None one that never reaches the issuer.
    ``attendant`` calls the issuer for a referral; without one a referral declines.
    ``online_pin`` enciphers a PIN for the issuer; ``recent`` is the terminal's log for floor limits; ``draw`` gives 1
    to 99 for random selection, ``random`` the given number of random bytes. Raises TransportError when the connection
    to the card failed before its first complete answer (61xx alone is none): then no transaction had begun.
    """
    run = _KernelRun(
        sender=sender,
        config=config,
        transaction=transaction,
        keys=keys,
        cardholder=cardholder,
        host=host,
        attendant=attendant,
        online_pin=online_pin,
        pin_pad=pin_pad,
        recent=recent,
        draw=draw,
        random=random,
    )
    return run.outcome()


@dataclass(eq=False, repr=False)
class _KernelRun:
    """One transaction from selection to outcome."""

    sender: Sender
    config: TerminalConfig
    transaction: Transaction
    keys: CaStore
    cardholder: Cardholder | None
    host: OnlineHost | None
    attendant: Attendant | None
    online_pin: OnlinePin | None
    pin_pad: bool
    recent: Recent | None
    draw: Callable[[], int]
    random: Callable[[int], bytes]

    def __post_init__(self) -> None:
        self._ready = self.config.prepared
        self._state = TransactionState({**self._ready.data, **self.transaction.data(self.random(4))})
        self._completion: Completion | None = None

    def outcome(self) -> Outcome:
        """Every way a transaction can end, as a value."""
        try:
            return self._perform()
        except Stop as stop:
            return self._ended(stop.result, stop.reason)
        except TransportError as fault:
            if not self._state.begun:
                raise
            reason = f"the card could not be reached any more: {fault}"
            self._state.note(KernelStage.COMPLETION, reason, "EMV 4.4 Book 4, 6.6.1")
            return replace(self._ended(Result.TERMINATED, reason), interrupted=True)
        except (CardError, CodecError) as fault:
            # No rule covers it; the rule for a faulty card applies.
            reason = f"the card's data are in error: {fault}"
            self._state.note(KernelStage.COMPLETION, reason, FAULTY_ICC)
            return self._ended(Result.TERMINATED, reason)

    def _ended(self, result: Result, reason: str) -> Outcome:
        if self._completion is not None:
            return self._completion.outcome(result, reason)
        return unfinished(self._state, result, reason)

    def _perform(self) -> Outcome:
        """The functions in the order of the book."""
        state, sender, today = self._state, self.sender, self.transaction.at.date()
        opened = open_application(
            state,
            sender,
            [Supported(entry.aid_bytes, entry.partial) for entry in self.config.applications],
            self.cardholder,
            prepare=self._prepare,
            pse=self.config.terminal.pse,
            code_tables=self._ready.code_tables,
        )
        entry, _ = self._ready.application(opened.selected.supported.aid)
        records = read_application(state, sender, opened)
        ecash.note(state)
        ddol = bytes.fromhex(entry.default_ddol)
        proof = authenticate(state, sender, records, self.keys, today, default_ddol=ddol)
        check_restrictions(state, today)
        verification = verify_cardholder(
            state,
            sender,
            proof.chain,
            self.cardholder,
            online_pin=self.online_pin,
            pin_pad=self.pin_pad,
            random=self.random,
        )
        manage(sender, state, self.config, entry, self.transaction, draw=self.draw, recent=self.recent)
        self._completion = Completion(
            sender,
            state,
            self.config,
            entry,
            self.transaction,
            label=opened.selected.label,
            host=self.host,
            attendant=self.attendant,
            combined=_Combined(state, proof, opened.pdol_data) if proof.request_cda else None,
            verification=verification,
        )
        return self._completion.run()

    def _prepare(self, selected: Selected) -> None:
        """The terminal data of the selected application, before its PDOL is filled. From now on 9F06 is
        the full name of the selected application, also after a partial match. EMV 4.4 Book 1, 12.4."""
        entry, data = self._ready.application(selected.supported.aid)
        self._state.terminal |= data
        self._state.terminal |= {
            TAG_9F06_TERMINAL_AID: selected.name,
            TAG_9F7A_ECASH_INDICATOR: ecash.offer(entry, self.transaction),
        }


@dataclass(eq=False, slots=True)
class _Combined:
    """The CDA check of one transaction. Without a reference to the run, which would be a cycle that holds the card's
    data."""

    state: TransactionState
    proof: Authentication
    pdol_data: bytes
    signed: CombinedData | None = None
    """What the last answer signed."""

    def information(self, objects: Tlvs) -> int | None:
        self.signed = signed_data(self.state, self.proof, objects)
        return None if self.signed is None else self.signed.cid

    def __call__(self, answer: GenerateAcResponse, lists: Sequence[bytes]) -> bytes | None:
        if answer.signature is None:
            combined_missing(self.state, "the card left out the signature that was asked for")
            return None
        combined = verify_combined(self.state, self.proof, answer.objects, [self.pdol_data, *lists], signed=self.signed)
        return None if combined is None else combined.cryptogram
