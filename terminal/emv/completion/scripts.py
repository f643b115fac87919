"""Issuer scripts: delivery of the issuer's commands to the card.

EMV 4.4 Book 3, 10.10; Book 4, 6.3.9, 12.2.4.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from terminal.apdu import Command, Sender
from terminal.emv.data.bits import TSI, TVR
from terminal.emv.data.tags import (
    TAG_9F18_SCRIPT_IDENTIFIER,
    TAG_71_ISSUER_SCRIPT_1,
    TAG_72_ISSUER_SCRIPT_2,
    TAG_86_SCRIPT_COMMAND,
)
from terminal.emv.transaction.outcome import ScriptResult
from terminal.emv.transaction.state import TransactionState
from terminal.emv.transaction.step import KernelStage
from terminal.errors import ApduError, CardMalformed, ResponseLost, TlvError, TransportError
from terminal.tlv import Tlv, decode

_SOURCE: Final = "EMV 4.4 Book 3, 10.10"
_OUT_OF_FORM: Final = "EMV 4.4 Book 3, Annex E1, scenario 3; Book 4, 12.2.4"
_FAILED: Final = {
    TAG_71_ISSUER_SCRIPT_1: TVR.SCRIPT_FAILED_BEFORE_FINAL_AC,
    TAG_72_ISSUER_SCRIPT_2: TVR.SCRIPT_FAILED_AFTER_FINAL_AC,
}


def run(state: TransactionState, sender: Sender, templates: Iterable[bytes], when: int) -> list[ScriptResult]:
    """Deliver the scripts of one kind (71 or 72), each up to its first command that fails. There is no limit to their
    number and length beyond that of the issuer's answer: what is not delivered would have to be reported. EMV 4.4 Book
    3, 10.10, Annex E2; Book 4, 12.2.4.

    ``templates`` are whole templates as the issuer sent them; those of the other kind are skipped. A template
    that does not parse counts by its first byte, and as 71 where that is neither. Card, reader and issuer faults raise
    nothing: a card that was removed fails its command.
    """
    results = []
    for raw in templates:
        script = _template(raw)
        if script is None and when == (
            TAG_72_ISSUER_SCRIPT_2 if raw[:1] == bytes((TAG_72_ISSUER_SCRIPT_2,)) else TAG_71_ISSUER_SCRIPT_1
        ):
            text = "a script of the issuer is no template 71 or 72"
            state.note(KernelStage.SCRIPTS, text, _OUT_OF_FORM, tvr=_FAILED[when], tsi=TSI.SCRIPT_PERFORMED)
            results.append(ScriptResult(when, bytes(4), 0, False, None))
        if script is not None and script.tag == when:
            results.append(_deliver(state, sender, script))
    return results


def _template(raw: bytes) -> Tlv | None:
    try:
        tlvs = decode(raw, lengths="any")
    except TlvError:
        return None
    return tlvs[0] if len(tlvs) == 1 and tlvs[0].tag in (TAG_71_ISSUER_SCRIPT_1, TAG_72_ISSUER_SCRIPT_2) else None


def _deliver(state: TransactionState, sender: Sender, script: Tlv) -> ScriptResult:
    when = int(script.tag)
    identifier = script.children.present(TAG_9F18_SCRIPT_IDENTIFIER) or bytes(4)
    commands = _commands(script)
    name = f"script {identifier.hex().upper()}"
    if commands is None or len(identifier) != 4:
        text = f"{name} is out of form; none of it is delivered"
        state.note(KernelStage.SCRIPTS, text, _OUT_OF_FORM, tvr=_FAILED[when], tsi=TSI.SCRIPT_PERFORMED)
        return ScriptResult(when, identifier[:4].ljust(4, b"\x00"), 0, False, None)
    for at, command in enumerate(commands, 1):
        status, fine = _send(sender, command)
        text = f"{name}, command {at} of {len(commands)} ({command.header.hex().upper()}): {status}"
        if not fine:
            state.note(KernelStage.SCRIPTS, text, _SOURCE, tvr=_FAILED[when], tsi=TSI.SCRIPT_PERFORMED)
            return ScriptResult(when, identifier, len(commands), True, at)
        state.note(KernelStage.SCRIPTS, text, _SOURCE, tsi=TSI.SCRIPT_PERFORMED)
    return ScriptResult(when, identifier, len(commands), True, None)


def _commands(script: Tlv) -> list[Command] | None:
    """The commands of a script in order; None when one of them is malformed, or there is none."""
    try:
        present = [item.value for item in script.children if item.tag == TAG_86_SCRIPT_COMMAND and item.value]
        commands = [Command.decode(value) for value in present]
    except ApduError:
        return None
    return commands or None


def _send(sender: Sender, command: Command) -> tuple[str, bool]:
    """Whether the script continues: SW1 90, 62 and 63, also where the response data are lost. EMV 4.4 Book 3, 10.10."""
    try:
        response = sender.send(command)
    except ResponseLost as fault:
        return f"the card executed it ({fault})", True
    except (TransportError, CardMalformed, ApduError) as fault:
        return f"no answer ({fault})", False
    return f"the card answered {response.sw}", response.sw.ok or response.sw.warning
