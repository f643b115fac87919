"""Terminal action analysis to the outcome: both cryptograms, and the issuer between them.

EMV 4.4 Book 3, 10.7 to 10.11; Book 2, 6.6 (when a CDA signature is requested); Book 4, 6.3.6 to 6.3.9 and 11.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from terminal.apdu import Sender
from terminal.emv.cardholder_verification.cvm import CardholderVerification
from terminal.emv.completion import online, scripts
from terminal.emv.completion.cryptogram import GenerateAcResponse, generate, list_data
from terminal.emv.data.bits import TVR
from terminal.emv.data.tags import (
    TAG_8A_RESPONSE_CODE,
    TAG_8C_CDOL1,
    TAG_8D_CDOL2,
    TAG_9F26_AC,
    TAG_71_ISSUER_SCRIPT_1,
    TAG_72_ISSUER_SCRIPT_2,
)
from terminal.emv.risk.action import analyse, when_offline
from terminal.emv.risk.risk import digits
from terminal.emv.transaction.config import ApplicationSettings, TerminalConfig
from terminal.emv.transaction.exchange import FAULTY_ICC
from terminal.emv.transaction.outcome import Cryptogram, CryptogramType, Outcome, Receipt, Result, ScriptResult
from terminal.emv.transaction.protocols import Attendant, OnlineHost, OnlineResponse, Unable
from terminal.emv.transaction.state import TransactionState
from terminal.emv.transaction.step import KernelStage
from terminal.emv.transaction.transaction import Transaction
from terminal.tlv import Tlvs

_COMPLETION: Final = "EMV 4.4 Book 3, 10.11"
_CDA: Final = "EMV 4.4 Book 2, 6.6"
_APPROVED: Final = (Result.APPROVED_OFFLINE, Result.APPROVED_ONLINE)


class CombinedCheck(Protocol):
    """Verifies the CDA signature in an answer to GENERATE AC. EMV 4.4 Book 2, 6.6.2."""

    def information(self, objects: Tlvs) -> int | None:
        """The CID inside the signature; None where the signature proves nothing. EMV 4.4 Book 4, 6.3.2.1."""
        ...

    def __call__(self, answer: GenerateAcResponse, lists: Sequence[bytes]) -> bytes | None:
        """The cryptogram, 8 bytes; None when the signature is wrong or missing (the TVR bit is set then). ``lists`` are
        the data of CDOL1, and of CDOL2 for a second cryptogram."""
        ...


class Completion:
    """The second half of one transaction. ``combined`` is None where CDA was not chosen.

    ``run`` raises Stop and TransportError; ``outcome`` then gives the result so far, reversal included.
    """

    def __init__(
        self,
        sender: Sender,
        state: TransactionState,
        config: TerminalConfig,
        application: ApplicationSettings,
        transaction: Transaction,
        *,
        label: str = "",
        host: OnlineHost | None = None,
        attendant: Attendant | None = None,
        combined: CombinedCheck | None = None,
        verification: CardholderVerification | None = None,
    ) -> None:
        self._sender = sender
        self._state = state
        self._config = config
        self._application = application
        self._transaction = transaction
        self._label = label
        self._host = host
        self._attendant = attendant
        self._combined = combined
        self._verification = verification or CardholderVerification(b"")
        self._lists: list[bytes] = []
        self._first: Cryptogram | None = None
        self._second: Cryptogram | None = None
        self._scripts: list[ScriptResult] = []
        self._reversal = False
        self._advice = False

    def run(self) -> Outcome:
        """Terminal action analysis, the first GENERATE AC, and the steps that follow from its answer."""
        kind = analyse(self._state, self._config, self._application)
        if kind is not CryptogramType.ARQC:
            self._respond(online.APPROVED_OFFLINE if kind is CryptogramType.TC else online.DECLINED_OFFLINE)
        cda = kind is CryptogramType.TC or (kind is CryptogramType.ARQC and self._config.cda_mode in (1, 2))
        if self._combined is not None and kind is CryptogramType.ARQC and not cda:
            text = "the online request is asked for without a signature"
            self._state.note(KernelStage.CARD_ACTION, text, _CDA, tvr=TVR.ODA_NOT_PERFORMED)
        self._first, genuine = self._generate(KernelStage.CARD_ACTION, TAG_8C_CDOL1, kind, cda)
        if self._first.kind is CryptogramType.AAC:
            if kind is CryptogramType.ARQC:
                self._respond(online.DECLINED_OFFLINE)
            return self._end(Result.DECLINED_OFFLINE, "the card declined")
        if self._first.kind is CryptogramType.TC:
            if genuine:
                return self._end(Result.APPROVED_OFFLINE, "terminal and card approved")
            return self._end(Result.DECLINED_OFFLINE, "the signature over the card's approval is wrong")
        if not genuine:
            # Such a request must not reach the issuer: the card gets a request for an AAC. EMV 4.4 Book 2, 6.6.2.
            self._respond(online.DECLINED_OFFLINE)
            self._finish(CryptogramType.AAC, cda=False)
            return self._end(Result.DECLINED_OFFLINE, "the signature over the card's online request is wrong")
        # A terminal that is offline only has no way to the issuer, also where the card asks for it. EMV 4.4 Book 4, A1.
        host = None if self._config.terminal.offline_only else self._host
        answer = online.authorize(self._state, host, self._verification.pin_block)
        if self._combined is not None:
            self._state.take_back(KernelStage.ONLINE, TVR.ODA_NOT_PERFORMED, _CDA)
        return self._without_issuer(answer) if isinstance(answer, Unable) else self._with_issuer(answer)

    def outcome(self, result: Result, reason: str) -> Outcome:
        """The outcome from the present state."""
        state = self._state
        # Set before a GENERATE AC and never changed by what the card answers: its decision is the kind of the
        # cryptogram. EMV 4.4 Book 4, Annex A6.
        decided = self._first is not None
        code = state.terminal.get(TAG_8A_RESPONSE_CODE, b"").decode("ascii", "replace") if decided else ""
        return Outcome(
            result,
            reason,
            tuple(state.steps),
            state.tvr,
            state.tsi,
            state.aid,
            response_code=code,
            cvm_results=self._verification.results,
            first=self._first,
            second=self._second,
            scripts=tuple(self._scripts),
            reversal=self._reversal,
            advice=self._advice_due(result),
            signature=self._verification.signature,
            receipt=self._receipt(result, code),
        )

    def _advice_due(self, result: Result) -> bool:
        """Whether an advice is due: not for a captured payment; script results go into a reversal or else an advice.
        EMV 4.4 Book 4, 6.3.7, table 3; 6.3.9."""
        return result not in _APPROVED and (self._advice or (bool(self._scripts) and not self._reversal))

    def _with_issuer(self, answer: OnlineResponse) -> Outcome:
        approved = online.approves(answer) or online.referred(self._state, answer, self._attendant)
        # From here on the issuer has reserved the money: every later failure needs a reversal.
        self._reversal = approved or online.reserves(answer)
        online.authenticate_issuer(self._state, self._sender)
        self._scripts += scripts.run(self._state, self._sender, answer.scripts, TAG_71_ISSUER_SCRIPT_1)
        cda = approved and self._config.cda_mode in (1, 4)
        genuine = self._finish(CryptogramType.TC if approved else CryptogramType.AAC, cda=cda)
        self._scripts += scripts.run(self._state, self._sender, answer.scripts, TAG_72_ISSUER_SCRIPT_2)
        if not approved and online.reserves(answer):
            return self._end(
                Result.DECLINED_ONLINE, "the issuer approved on a condition that this terminal cannot meet"
            )
        if not approved:
            return self._end(Result.DECLINED_ONLINE, "the issuer declined")
        if not self._accepted():
            return self._end(Result.DECLINED_ONLINE, "the issuer approved, but the card declined")
        if not genuine:
            return self._end(Result.DECLINED_ONLINE, "the signature over the card's approval is wrong")
        self._reversal = False
        return self._end(Result.APPROVED_ONLINE, "issuer and card approved")

    def _without_issuer(self, answer: Unable) -> Outcome:
        self._reversal = answer.sent
        kind = when_offline(self._state, self._application)
        self._respond(online.UNABLE_APPROVED if kind is CryptogramType.TC else online.UNABLE_DECLINED)
        genuine = self._finish(kind, cda=kind is CryptogramType.TC)
        if self._accepted() and genuine:
            return self._end(Result.APPROVED_OFFLINE, "the issuer could not be asked; terminal and card approved")
        return self._end(Result.DECLINED_OFFLINE, "the issuer could not be asked, and the transaction was declined")

    def _finish(self, kind: CryptogramType, *, cda: bool) -> bool:
        """The second GENERATE AC; False when its signature is wrong. Another ATC than before ends the transaction."""
        first = self._first
        self._second, genuine = self._generate(KernelStage.COMPLETION, TAG_8D_CDOL2, kind, cda)
        if first is None or self._second.atc != first.atc:
            self._state.stop(KernelStage.COMPLETION, "the card changed its transaction counter on the way", FAULTY_ICC)
        return genuine

    def _generate(self, stage: KernelStage, tag: int, kind: CryptogramType, cda: bool) -> tuple[Cryptogram, bool]:
        """One GENERATE AC, and whether its CDA signature, if one was requested, is valid."""
        state = self._state
        data = list_data(state, stage, tag, self._application)
        self._lists.append(data)
        combined = self._combined if cda else None
        signed = combined.information if combined is not None else None
        answer = generate(state, self._sender, stage, kind, data, signed=signed)
        self._advice = self._advice or answer.advice
        ac, genuine, verified = answer.ac, True, False
        if combined is not None and (answer.signed or answer.kind is not CryptogramType.AAC):
            cryptogram = combined(answer, self._lists)
            genuine = verified = cryptogram is not None
            if cryptogram is not None:
                ac = state.card[TAG_9F26_AC] = cryptogram
        return Cryptogram(answer.kind, answer.cid, answer.atc, ac, answer.issuer_data, verified), genuine

    def _accepted(self) -> bool:
        return self._second is not None and self._second.kind is CryptogramType.TC

    def _respond(self, code: bytes) -> None:
        """The authorization response code of the terminal where no issuer answered. EMV 4.4 Book 4, Annex A6."""
        self._state.terminal[TAG_8A_RESPONSE_CODE] = code

    def _end(self, result: Result, reason: str) -> Outcome:
        self._state.note(KernelStage.COMPLETION, f"{result}: {reason}{self._to_tell(result)}", _COMPLETION)
        return self.outcome(result, reason)

    def _to_tell(self, result: Result) -> str:
        """Whether a reversal is due. A request without an answer is reversed even where card and terminal then
        approved: that payment was made offline. EMV 4.4 Book 4, 6.3.8, 12.2.3."""
        if self._reversal and result in _APPROVED:
            return "; the request that may have reached the issuer is to be reversed"
        if self._reversal:
            return "; the issuer must be told that nothing was paid (reversal)"
        return "; an advice is to be sent" if self._advice_due(result) else ""

    def _receipt(self, result: Result, code: str) -> Receipt | None:
        """The receipt; the card number is cut to its last four digits. EMV 4.4 Book 4, 11.4."""
        last, aid = self._second or self._first, self._state.aid
        if last is None or aid is None:
            return None
        number, at = digits(self._state), self._transaction.at
        return Receipt(
            aid=aid.hex().upper(),
            application=self._label,
            card_number="*" * max(0, len(number) - 4) + number[-4:],
            amount=self._transaction.amount,
            currency=self._config.terminal.currency,
            date=at.date().isoformat(),
            time=at.time().isoformat("seconds"),
            cryptogram=f"{last.kind} {last.ac.hex().upper()}",
            response_code=code,
            signature_line=self._verification.signature and result in _APPROVED,
        )


def unfinished(state: TransactionState, result: Result, reason: str) -> Outcome:
    """The outcome of a transaction that ended before terminal action analysis."""
    return Outcome(result, reason, tuple(state.steps), state.tvr, state.tsi, state.aid)
