"""T=1, the half-duplex transmission of blocks: the interface device's side. ISO/IEC 7816-3:2006, 11."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final

from terminal.apdu.serial.blocks import (
    ABORT,
    IFS,
    LONGEST_INF,
    OTHER_ERROR,
    PARITY_ERROR,
    RESPONSE,
    RESYNCH,
    WTX,
    Block,
    BlockKind,
    ErrorDetection,
    decode,
    encode,
    information,
    ready,
)
from terminal.apdu.serial.characters import SLACK, Characters, lost
from terminal.apdu.serial.parameters import LinkParameters
from terminal.errors import CardGone, CardTooSlow, CodecError, LineFault

_TRIES: Final = 3
"""Times that a block is sent or asked for before RESYNCH, and RESYNCH before the link is given up. 11.6.3, rule 7.4."""
_INITIAL_IFS: Final = 32
_QUIET = 2
"""Characters for whose time nothing may follow a block; the block guard time is 22 units anyway. 11.4.3."""
_LONGEST_RESPONSE = 65536 + 2


class _Failure(Enum):
    """Why there is no block."""

    SILENT = "silent"
    PARITY = "parity or error detection code"
    OTHER = "other"


class _Aborted(Exception):
    """The card has aborted the chain."""


class _OutOfStep(Exception):
    """No block that fits after three tries. ``silent``: none of them brought a single character."""

    def __init__(self, *, silent: bool) -> None:
        super().__init__(silent)
        self.silent = silent


class BlockLink:
    """Exchanges APDUs with a card at T=1.

    After three tries without a block that fits, both sides are brought in step with S(RESYNCH). A command whose last
    block was not sent yet is then sent again; for any other LineFault is raised, since the card may have executed it.
    Raises CardGone for a card that answers nothing, CardTooSlow when one exchange takes more than ``deadline`` seconds.
    """

    def __init__(self, characters: Characters, parameters: LinkParameters, deadline: float) -> None:
        self._characters = characters
        self._line = characters.line
        self._between = parameters.character_waiting_time + SLACK
        self._block_wait = parameters.block_waiting_time
        self._first_ifsc = min(parameters.atr.ifsc, LONGEST_INF)
        self._detection = ErrorDetection.CRC if parameters.atr.checks_by_crc else ErrorDetection.LRC
        self._epilogue = self._detection.length
        self._deadline = deadline
        self._until = 0.0
        self._heard = False
        self._whole_sent = False
        self._initial()

    def _initial(self) -> None:
        """The state after a reset and after RESYNCH. 11.6.2.1 and rule 6.3."""
        self._next_sent, self._next_received = 0, 0
        self._ifsc, self._ifsd = self._first_ifsc, _INITIAL_IFS

    def start(self) -> None:
        """Announce the longest information field that the terminal receives; a card that refuses keeps to 32 bytes.

        Raises CardGone, LineFault.
        """
        self._until = self._line.now() + self._deadline
        try:
            self._announce()
        except _OutOfStep as failed:
            if failed.silent:
                raise CardGone("starting T=1: the card does not answer its first block") from failed
            if not self._heard:
                raise lost("starting T=1", "no block of the card is readable") from failed

    def _announce(self) -> None:
        self._converse(
            Block(IFS, bytes((LONGEST_INF,))), lambda block: block == (IFS | RESPONSE, bytes((LONGEST_INF,)))
        )
        self._ifsd = LONGEST_INF

    def exchange(self, apdu: bytes) -> bytes:
        """One command APDU to data || SW1 SW2."""
        self._until = self._line.now() + self._deadline
        self._whole_sent = False
        try:
            return self._receive_chain(self._send_chain(apdu))
        except _Aborted as aborted:
            raise lost("exchanging at T=1", "the card aborted the chain of blocks") from aborted
        except _OutOfStep as failed:
            self._resynchronize(silent=failed.silent)
            if self._whole_sent:
                raise _unknown() from failed
        # The card has not had the whole command, and so has not executed it.
        try:
            self._announce()
            return self._receive_chain(self._send_chain(apdu))
        except (_OutOfStep, _Aborted) as failed:
            raise _unknown() from failed

    def _send_chain(self, apdu: bytes) -> Block:
        """The first block of the response."""
        at = 0
        while True:
            inf = apdu[at : at + self._ifsc]
            at += len(inf)
            more = at < len(apdu)
            sequence = self._next_sent
            self._whole_sent = not more
            answer = self._converse(information(sequence, inf, more=more), self._continues if more else self._responds)
            self._next_sent ^= 1
            if not more:
                return answer

    def _continues(self, block: Block) -> bool:
        """Whether a block acknowledges the present block of a chain. Rule 5."""
        return block.kind is BlockKind.READY and block.sequence != self._next_sent

    def _responds(self, block: Block) -> bool:
        """Whether a block is the expected I-block of the response. Rule 2.1."""
        return not block.pcb & 0x80 and block.sequence == self._next_received

    def _receive_chain(self, block: Block) -> bytes:
        response = bytearray(block.inf)
        self._next_received ^= 1
        while block.more:
            block = self._converse(ready(self._next_received), self._responds)
            self._next_received ^= 1
            response += block.inf
            if len(response) > _LONGEST_RESPONSE:
                raise lost("exchanging at T=1", "the response is longer than any")
        if len(response) < 2:
            raise lost("exchanging at T=1", "the response has no status word")
        return bytes(response)

    def _converse(self, block: Block, fits: Callable[[Block], bool]) -> Block:
        """Send ``block`` and get the one that ``fits``; S-requests in between are answered. Rules 3, 4, 7 and 9.

        Raises _OutOfStep after three tries, _Aborted.
        """
        sending, wait, tries, silent = block, self._block_wait, 0, True
        while True:
            self._characters.send(encode(sending, self._detection))
            got = self._receive(wait)
            wait = self._block_wait
            silent = silent and got is _Failure.SILENT
            if isinstance(got, Block):
                if fits(got):
                    return got
                if got.pcb in (WTX, IFS, ABORT):
                    wait *= self._obey(got)
                    sending = Block(got.pcb | RESPONSE, got.inf)
                    if got.pcb == ABORT:
                        self._characters.send(encode(sending, self._detection))
                        self._receive(wait)
                        raise _Aborted
                    continue
            tries += 1
            if tries == _TRIES:
                raise _OutOfStep(silent=silent)
            sending = self._again(block, sending, got)

    def _again(self, block: Block, sent: Block, got: Block | _Failure) -> Block:
        """What is sent after no block, or one that does not fit. Rules 7.1 to 7.3."""
        if block.kind is BlockKind.SUPERVISORY:
            return block
        if isinstance(got, Block):
            wanted = (
                got.kind is BlockKind.READY and block.kind is BlockKind.INFORMATION and got.sequence == self._next_sent
            )
            if wanted:
                return block
        if sent.kind is BlockKind.READY:
            return sent
        return ready(self._next_received, PARITY_ERROR if got is _Failure.PARITY else OTHER_ERROR)

    def _obey(self, request: Block) -> int:
        """Do what an S-request asks for; the factor of the next waiting time. Raises CardTooSlow."""
        if request.pcb == WTX:
            if self._line.now() > self._until:
                raise CardTooSlow(f"exchanging at T=1: the card asks for more time, and has had {self._deadline:g} s")
            return request.inf[0] or 1
        if request.pcb == IFS and 1 <= request.inf[0] <= LONGEST_INF:
            self._ifsc = request.inf[0]
        return 1

    def _resynchronize(self, *, silent: bool) -> None:
        """Bring both sides to their initial state. Rule 6 and 7.4. Raises CardGone, LineFault."""
        request, response = Block(RESYNCH), Block(RESYNCH | RESPONSE)
        try:
            if not self._heard:
                raise _OutOfStep(silent=silent)
            self._converse(request, lambda block: block == response)
        except _OutOfStep as failed:
            if silent and failed.silent:
                raise CardGone("exchanging at T=1: the card was taken out or stopped answering") from failed
            raise lost("exchanging at T=1", "card and terminal do not get in step again") from failed
        self._initial()

    def _receive(self, wait: float) -> Block | _Failure:
        """The next block within ``wait`` seconds, checked; after a failure the line is quiet."""
        characters, line = self._characters, self._line
        left = self._until - line.now()
        if left <= 0:
            raise CardTooSlow(f"exchanging at T=1: no answer within {self._deadline:g} s")
        raw = characters.take_block(self._epilogue, min(wait + SLACK, left), self._between)
        if not raw:
            return _Failure.SILENT
        if characters.pending or (line.paced and characters.surplus(_QUIET)):
            characters.settle(self._between)
            return _Failure.OTHER
        damaged, characters.marked = characters.marked, False
        if damaged:
            return _Failure.PARITY
        return self._checked(raw)

    def _checked(self, raw: bytes) -> Block | _Failure:
        if self._heard:
            try:
                return decode(raw, self._detection)
            except CodecError:
                return _Failure.PARITY
        for detection in self._detections():
            try:
                block = decode(raw, detection)
            except CodecError:
                continue
            self._detection, self._heard = detection, True
            return block
        return _Failure.PARITY

    def _detections(self) -> tuple[ErrorDetection, ...]:
        """What the first block may end in: both forms of a CRC, where the card has one."""
        if self._detection is ErrorDetection.LRC:
            return (self._detection,)
        other = ErrorDetection.CRC if self._detection is ErrorDetection.CRC_PLAIN else ErrorDetection.CRC_PLAIN
        return (self._detection, other)


def _unknown() -> LineFault:
    return lost(
        "exchanging at T=1", "blocks stay away or are not readable; whether the card executed the command is not known"
    )
