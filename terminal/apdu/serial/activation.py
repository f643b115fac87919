"""From a reset to a card that takes commands: answer to reset, echo, PPS, bit rate, protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol, TypedDict

from terminal.apdu.atr import Atr
from terminal.apdu.serial import pps
from terminal.apdu.serial.characters import INVERSE, SLACK, Characters
from terminal.apdu.serial.line import SerialLine
from terminal.apdu.serial.options import Echo, SerialOptions, WantedProtocol
from terminal.apdu.serial.parameters import (
    INITIAL_WAIT,
    LinkParameters,
    implicit,
    may_change_mode,
    offered,
    speed_byte,
)
from terminal.apdu.serial.t0 import CharacterLink
from terminal.apdu.serial.t1 import BlockLink
from terminal.errors import AtrError, NoCard, ReaderFault

_RESET_HELD: Final = 0.05
"""Seconds of a reset; 400 clock cycles are the least. ISO/IEC 7816-3:2006, 6.2.2."""
_FIRST_CLOCKS: Final = 42_000
"""Clock cycles within which an answer to reset begins. EMV 4.4 Book 1, 6.1.3."""
_TRIES = 3
_DIRECT, _INVERSE = 0x3B, 0x3F
_LONGEST_ATR = 33
_PROBE = b"\x55"
"""Sent to a card that is held in reset, to see whether the line returns it."""


class Link(Protocol):
    """Commands to a card at T=0 or T=1."""

    def exchange(self, apdu: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class ActiveCard:
    """A card after its reset: answer to reset, protocol (0 or 1), rate, and the link for commands."""

    atr: bytes
    protocol: int
    parameters: LinkParameters
    link: Link
    echo: bool | None


class _Settings(TypedDict):
    odd: bool
    stop_bits: int


class AnswerToReset(NamedTuple):
    """The bytes of an answer to reset; ``damaged`` says what is wrong with them."""

    raw: bytes
    damaged: str = ""


def activate(line: SerialLine, options: SerialOptions, echo: bool | None = None) -> ActiveCard:
    """Reset the card and agree on a protocol and the highest rate that card and port have.

    A readable answer to reset is tried for three times. A card that does not answer PPS, or answers it wrongly, is
    reset and works at its default rate. ``echo`` is what an earlier activation learned of the line.
    Raises NoCard (no answer to reset, or none that this reader can use), LineFault, ReaderFault.
    """
    if options.echo is not Echo.AUTO:
        echo = options.echo is Echo.YES
    atr, echo = _reset(line, options, echo)
    if atr.specific_mode and _specific(atr, options) is None and may_change_mode(atr):
        atr, echo = _reset(line, options, echo)
    if atr.specific_mode:
        return _in_specific_mode(line, options, atr, echo)
    protocol = _protocol(atr, options)
    parameters = LinkParameters(atr, options.clock)
    characters = Characters(line, unit=parameters.unit, inverse=atr.inverse, echo=echo)
    characters.guard = parameters.guard
    proposal = _proposal(line, options, atr)
    if proposal is not None or protocol != atr.default_protocol:
        answer = _select(characters, protocol, proposal)
        if answer is pps.PpsResult.ACCEPTED and proposal is not None:
            parameters = proposal
        elif answer is pps.PpsResult.REFUSED:
            if protocol != atr.default_protocol:
                raise NoCard(f"the card refuses T={protocol}; leave out protocol=")
            atr, echo = _reset(line, options, characters.echo)
            protocol, parameters = _protocol(atr, options), LinkParameters(atr, options.clock)
            characters = Characters(line, unit=parameters.unit, inverse=atr.inverse, echo=echo)
    return _linked(line, options, parameters, protocol, characters)


def answers(line: SerialLine, options: SerialOptions) -> bool:
    """Whether a card in the slot answers to a reset with anything at all; it is held in reset afterwards."""
    _begin(line, options)
    arrived = line.read(_FIRST_CLOCKS / options.clock + SLACK)
    line.hold_reset()
    return bool(arrived.data)


def _begin(line: SerialLine, options: SerialOptions) -> None:
    """Reset the card, with the port at the initial rate."""
    line.hold_reset()
    if not line.configure(LinkParameters(_NO_ATR, options.clock).rate, odd=False, stop_bits=2):
        raise ReaderFault(
            f"the port cannot do {options.clock / 372:.0f} bit/s, the initial rate at clock={options.clock:g}"
        )
    if line.resettable:
        line.pause(_RESET_HELD)
    line.discard()
    line.release_reset()


_NO_ATR = Atr.parse(b"\x3b\x00")


def _reset(line: SerialLine, options: SerialOptions, echo: bool | None) -> tuple[Atr, bool | None]:
    why = "the card does not answer to reset; turn it or clean its contacts"
    silent = False
    for _ in range(_TRIES):
        if echo is None:
            echo = _probe(line, options)
        _begin(line, options)
        answer = read_atr(line, options.clock)
        if not answer.raw:
            if silent:
                break
            silent = True
            continue
        try:
            if not answer.damaged:
                return Atr.parse(answer.raw), echo
            why = f"the card's answer to reset is not readable ({answer.damaged}); turn it or clean its contacts"
        except AtrError as wrong:
            why = f"the card's answer to reset is not valid ({wrong}); turn it or clean its contacts"
    raise NoCard(why)


def _probe(line: SerialLine, options: SerialOptions) -> bool | None:
    """Whether the line returns what is sent, found while the card is held in reset; None where that cannot be."""
    line.hold_reset()
    if not line.resettable:
        return None
    unit = LinkParameters(_NO_ATR, options.clock).unit
    if not line.configure(1 / unit, odd=False, stop_bits=2):
        return None
    line.pause(_RESET_HELD)
    line.discard()
    line.write(_PROBE)
    return line.read(12 * unit + SLACK).data == _PROBE


def atr_length(begun: bytes) -> int:
    """Length of the answer to reset that begins so; one more than is there as long as it is not known. 8.2."""
    if len(begun) < 2:
        return 2
    at, present, checked = 2, begun[1] >> 4, False
    while True:
        at += (present & 7).bit_count()
        if not present & 8:
            return at + (begun[1] & 0x0F) + checked
        if at >= len(begun):
            return at + 1
        present, checked = begun[at] >> 4, checked or bool(begun[at] & 0x0F)
        at += 1


def read_atr(line: SerialLine, clock: float) -> AnswerToReset:
    """The answer to reset that the card is giving; empty where it gives none. 8.1 and 8.2.

    In inverse convention parity is odd to a UART set to even parity: where the port marks wrong parity at all, it marks
    each right character then, TS among them.
    """
    unit = LinkParameters(_NO_ATR, clock).unit
    raw = bytearray()
    marks: list[bool] = []
    wait = _FIRST_CLOCKS / clock + SLACK
    inverse, wanted = False, 1
    while len(raw) < wanted:
        arrived = line.read(wait)
        if not arrived.data:
            break
        wait = INITIAL_WAIT * unit + SLACK
        for at, value in enumerate(arrived.data):
            marked = at in arrived.marked
            if not raw and marked and not value:
                continue  # A break: the line falls and rises with the reset.
            inverse = inverse or (not raw and INVERSE[value] == _INVERSE)
            raw.append(INVERSE[value] if inverse else value)
            marks.append(marked)
        if raw and raw[0] not in (_DIRECT, _INVERSE):
            return AnswerToReset(bytes(raw), f"TS is {raw[0]:02X}")
        wanted = min(atr_length(bytes(raw)), _LONGEST_ATR) if raw else 1
    whole = bytes(raw)
    if not whole:
        return AnswerToReset(b"")
    if len(whole) < wanted:
        return AnswerToReset(whole, f"it ends after {len(whole)} of {wanted} characters")
    if len(whole) > wanted or line.read(2 * 12 * unit if line.paced else 0.0).data:
        return AnswerToReset(whole, "characters follow its end")
    if any(mark is not (inverse and marks[0]) for mark in marks):
        return AnswerToReset(whole, "a character has wrong parity")
    return AnswerToReset(whole)


def _protocol(atr: Atr, options: SerialOptions) -> int:
    """The protocol to select. Raises NoCard for a card that does not have it."""
    wanted = atr.default_protocol if options.protocol is WantedProtocol.AUTO else int(options.protocol)
    if wanted not in (0, 1):
        raise NoCard(f"the card's first protocol is T={wanted}; T=0 and T=1 are possible")
    if wanted not in (atr.protocols if not atr.specific_mode else (atr.default_protocol,)):
        named = " and ".join(f"T={t}" for t in atr.protocols)
        raise NoCard(f"the card does not offer T={wanted}, but {named}; leave out protocol=")
    return wanted


def _specific(atr: Atr, options: SerialOptions) -> LinkParameters | None:
    """The rate that a card in specific mode uses at once; None where the options do not allow it."""
    if implicit(atr):
        return None
    if atr.fi is None or atr.di is None:
        return None
    parameters = LinkParameters(atr, options.clock, atr.fi, atr.di)
    return parameters if parameters.rate <= max(options.rate, options.clock / 372) else None


def _in_specific_mode(line: SerialLine, options: SerialOptions, atr: Atr, echo: bool | None) -> ActiveCard:
    protocol, parameters = _protocol(atr, options), _specific(atr, options)
    if parameters is None:
        rate = atr.bit_rate(options.clock)
        how = "at a rate of its own" if rate is None or implicit(atr) else f"at {rate:.0f} bit/s"
        raise NoCard(f"the card works {how} only, and this reader at no more than {options.rate:g} bit/s (rate=)")
    characters = Characters(line, unit=parameters.unit, inverse=atr.inverse, echo=echo)
    return _linked(line, options, parameters, protocol, characters)


def _proposal(line: SerialLine, options: SerialOptions, atr: Atr) -> LinkParameters | None:
    """The highest rate that the card offers and the port can do; None for the default rate."""
    default, settings = LinkParameters(atr, options.clock).rate, _Settings(odd=atr.inverse, stop_bits=2)
    possible = (one for one in offered(atr, options.clock, options.rate) if line.configure(one.rate, **settings))
    best = next(possible, None)
    line.configure(default, **settings)
    return best


def _select(characters: Characters, protocol: int, proposal: LinkParameters | None) -> pps.PpsResult:
    """Exchange PPS."""
    request = pps.request(protocol, None if proposal is None else speed_byte(proposal))
    wait = INITIAL_WAIT * characters.unit + SLACK
    unknown = characters.echo is None
    characters.turn()
    if not characters.send(request):
        return pps.PpsResult.REFUSED
    if unknown and characters.echo and not characters.surplus() and not _second(characters):
        # The answer to PPS is the request: only a second one tells an echo from the answer.
        characters.echo = False
        return pps.PpsResult.ACCEPTED
    response = characters.take(2, wait)
    if len(response) == 2:
        response += characters.take(pps.length(response[1]) - 2, wait)
    damaged, characters.marked = characters.marked, False
    if damaged or characters.surplus(2):
        return pps.PpsResult.REFUSED
    return pps.result(request, response)


def _second(characters: Characters) -> bool:
    back = characters.take(1, SLACK)
    characters.put_back(back)
    return bool(back)


def _linked(
    line: SerialLine, options: SerialOptions, parameters: LinkParameters, protocol: int, characters: Characters
) -> ActiveCard:
    """The card at its final rate, with T=1 begun."""
    if not line.configure(parameters.rate, odd=parameters.atr.inverse, stop_bits=parameters.stop_bits(protocol)):
        raise NoCard(f"the card works at {parameters.rate:.0f} bit/s only, which the port cannot do")
    characters.unit, characters.guard = parameters.unit, parameters.guard
    link: CharacterLink | BlockLink
    if protocol == 0:
        link = CharacterLink(characters, parameters, options.deadline)
    else:
        link = BlockLink(characters, parameters, options.deadline)
        link.start()
    return ActiveCard(parameters.atr.raw, protocol, parameters, link, characters.echo)
