"""One foreign card with what must come of it, and the ways to break a card, to make it silent or speak T=0."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from terminal.apdu import LinkProtocol, Transport, stack
from terminal.emv.authentication.cakeys import CaStore
from terminal.emv.kernel.kernel import run_transaction
from terminal.emv.transaction.outcome import Outcome
from terminal.emv.transaction.transaction import Transaction
from terminal.errors import CardGone, DeadlineExceeded, TransportError
from terminal.tlv import decode
from tests.support.cards.kernel_state import Person
from tests.support.cards.toys.emv_toy_card import DATA, ToyCard, objects
from tests.support.cards.toys.emv_toy_card import tlv as tlv
from tests.support.cards.toys.emv_toy_terminal import AT, UNDER, config_with
from tests.support.foreign.toy import Bank, Card, Elements, Make, enciphered

APPROVED, APPROVED_ONLINE = "approved offline", "approved online"
DECLINED, DECLINED_ONLINE = "declined offline", "declined online"
TERMINATED, OTHER = "terminated", "try another interface"
NONE = "no transaction"
"""The card never answered: the transport fault is raised to the caller."""


@dataclass(frozen=True)
class Meeting:
    """Result for a card: no outcome where it never answered; with cardholder and issuer, if any."""

    outcome: Outcome | None
    person: Person | None
    bank: Bank | None


@dataclass(frozen=True)
class ForeignCard:
    """``result``, ``tvr``, ``reversal`` and ``scripts`` (9F5B) are the result by EMV, where given also ``cvm`` (9F34)
    and ``pin_requests`` (tries left, last try); ``source`` is the section of the rule."""

    name: str
    what: str
    source: str
    result: str
    tvr: str
    make: Make
    pins: tuple[str | None, ...] | None = None
    """What the cardholder enters, one PIN a question; None for one that was bypassed. No PIN pad at all: None."""
    amount: int = UNDER
    bank: Callable[[], Bank] | None = None
    config: tuple[str, ...] = ()
    pin_online: bool = False
    reversal: bool = False
    cvm: str | None = None
    scripts: str = ""
    pin_requests: tuple[tuple[int | None, bool], ...] | None = None
    goes_online: bool | None = None
    way: Callable[[Transport], Transport] = lambda card: card
    """What stands between terminal and card: an older protocol, a card that becomes silent."""

    def meet(self, transport: Transport, keys: CaStore) -> Meeting:
        """One purchase at the shipped terminal, with fixed date and randomness."""
        person = None if self.pins is None else Person(*self.pins, chooses=0)
        bank = None if self.bank is None else self.bank()
        try:
            outcome = run_transaction(
                stack(transport),
                config_with(*self.config),
                Transaction(self.amount, AT),
                keys=keys,
                cardholder=person,
                host=bank,
                online_pin=enciphered if self.pin_online else None,
                draw=lambda: 99,
                random=lambda size: bytes(range(0xA0, 0xA0 + size)) if size <= 16 else bytes(0xA5 for _ in range(size)),
            )
        except TransportError:
            return Meeting(None, person, bank)
        return Meeting(outcome, person, bank)

    @property
    def expected(self) -> str:
        """The outcome in words, for the index."""
        more = [f"TVR {self.tvr}"] if self.result != NONE else []
        more += ["reversal"] if self.reversal else []
        more += [f"9F34 {self.cvm}"] if self.cvm is not None else []
        more += [f"9F5B {self.scripts}"] if self.scripts else []
        return ", ".join([self.result, *more])


# -- ways to break a card ---------------------------------------------------------------------------------------------


def card(**how: object) -> Make:
    return lambda: Card(**how)  # type: ignore[arg-type]


def having(aip: str = "3D00", **values: str) -> Make:
    """A card personalized with other data elements; a name is T and the tag."""
    return lambda: Card(aip=aip, data={**DATA, **{tag[1:]: value for tag, value in values.items()}})


def without(*tags: str) -> Make:
    """A sound card that was personalized without these elements."""
    return lambda: Card(data={tag: value for tag, value in DATA.items() if tag not in tags})


def answer(head: bytes, bend: Callable[[bytes], bytes], make: Make = Card) -> Make:
    """A card whose answers to commands that begin so (after CLA) are bent on their way, status word included."""

    def changed(_: int, command: bytes, response: bytes) -> bytes:
        return bend(response) if command[1 : 1 + len(head)] == head else response

    return lambda: replaced(make(), changed)


def replaced(card: ToyCard, bend: Callable[[int, bytes, bytes], bytes]) -> ToyCard:
    card.bend = bend
    return card


def says(status: str) -> Callable[[bytes], bytes]:
    """An answer that is this and nothing else."""
    return lambda _: bytes.fromhex(status)


def bit_at(place: int) -> Callable[[bytes], bytes]:
    """One bit changed there, in an answer that is as long as that."""
    return lambda response: response[:place] + bytes(b ^ 1 for b in response[place : place + 1]) + response[place + 1 :]


def record(number: int, bend: Callable[[bytes], bytes], sfi: int = 1) -> Make:
    return answer(bytes((0xB2, number, sfi << 3 | 4)), bend)


def gpo(options: str) -> Make:
    return answer(b"\xa8", says(options + "9000"))


def changed(place: tuple[int, int], change: Callable[[dict[str, bytes]], Elements], make: Make = Card) -> Make:
    """A card one of whose records was changed after it was signed."""

    def make_card() -> ToyCard:
        card = make()
        items = {str(item.tag): item.value for item in decode(card.records[place])[0].children}
        card.records[place] = tlv("70", objects(change(items)))
        return card

    return make_card


def dropped(*tags: str) -> Callable[[dict[str, bytes]], Elements]:
    return lambda items: {tag: value for tag, value in items.items() if tag not in tags}


def flipped(tag: str, at: int = -1) -> Callable[[dict[str, bytes]], Elements]:
    def flip(items: dict[str, bytes]) -> Elements:
        value = bytearray(items[tag])
        value[at] ^= 1
        return {**items, tag: bytes(value)}

    return flip


class OverT0:
    """The same card over T=0: 61xx with GET RESPONSE, and 6Cxx. ISO/IEC 7816-3:2006, 12.2; EMV 4.4 Book 1, 9.3.1."""

    protocol, extended_length = LinkProtocol.T0, False

    def __init__(self, card: Transport) -> None:
        self._card, self.atr = card, card.atr
        self._waiting = b""

    def reset(self) -> bytes:
        return self._card.reset()

    def close(self) -> None:
        self._card.close()

    def exchange(self, tpdu: bytes) -> bytes:
        if tpdu[1] == 0xC0:
            response, self._waiting = self._waiting, b""
            return response
        response = self._card.exchange(tpdu)
        size = len(response) - 2
        if not size:
            return response
        if len(tpdu) > 5:
            self._waiting = response
            return bytes((0x61, size & 0xFF))
        return response if tpdu[4] == size else bytes((0x6C, size))


class Silent:
    """A card that gives no answer from a command on; ``after`` counts the commands of that kind to let through."""

    def __init__(self, card: Transport, ins: int, after: int, fault: type[TransportError]) -> None:
        self._card, self._ins, self._after, self._fault = card, ins, after, fault
        self.atr, self.protocol, self.extended_length = card.atr, card.protocol, card.extended_length
        self._silent = False

    def reset(self) -> bytes:
        return self._card.reset()

    def close(self) -> None:
        self._card.close()

    def exchange(self, apdu: bytes) -> bytes:
        if apdu[1] == self._ins:
            self._after -= 1
        if self._silent or self._after < 0:
            self._silent = True
            raise self._fault("the card gives no answer")
        return self._card.exchange(apdu)


Way = Callable[[Transport], Transport]


def silent(ins: int, after: int = 0, fault: type[TransportError] = DeadlineExceeded) -> Way:
    return lambda card: Silent(card, ins, after, fault)


def pulled(ins: int, after: int = 0) -> Way:
    return silent(ins, after, CardGone)
