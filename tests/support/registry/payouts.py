"""Members whom the union pays, and a bank of the test: what tests of payouts share."""

from __future__ import annotations

from dataclasses import dataclass

from programme.programme import Programme
from programme.records.payouts import payment_file
from registry.paying.batches import BankBatch
from registry.paying.instructions import PaymentKind, PaymentOrder, order
from registry.store import Registry
from registry.values import Card
from simulators.issuer.payouts import PayoutBank
from terminal.keys.custody import Algorithm, Purpose
from terminal.keys.memory import MemoryCustody
from tests.support.programmes import HEAD, ONE_PRODUCT, programme_file
from tests.support.registry.registrar import approved, claimed, custodian, prepare, rows

BANK = "icbc"
PANS = tuple(f"62109713000000{number:05d}" for number in range(1, 40))
SECTION = """\
payouts:
  banks:
    icbc: {name: {zh: 工商银行, en: ICBC}, form: %s, accounts: ["621097"]}
    abc: {name: {zh: 农业银行, en: ABC}, form: csv, accounts: ["622848"]}
"""


def paying_custody() -> MemoryCustody:
    """Custody with the key that it shares with the banks."""
    custody = custodian()
    custody.generate("zmk", Purpose.TRANSPORT, Algorithm.TDES, by="test")
    return custody


def paying_programme(form: str = "csv") -> Programme:
    """A programme with two banks; the first takes files of this form."""
    head = HEAD.replace("benefits:\n", f"{SECTION % form}benefits:\n")
    return programme_file("counted: none\n" + ONE_PRODUCT, head).programme


def paid_members(registry: Registry, custody: MemoryCustody, count: int) -> list[Card]:
    """Cards with accounts of the first bank."""
    batch = approved(registry, rows(count))
    prepare(registry, custody, batch, pans=PANS[:count])
    return [registry.line.verified(claimed(registry, batch, number), {}, 1.0) for number in range(1, count + 1)]


def ordered(
    registry: Registry, member: int, amount: int, reference: str, *, kind: PaymentKind = PaymentKind.GRANT
) -> int:
    """An instruction, ordered in a transaction of its own."""
    context = registry.instructions._context
    with context.write() as conn:
        return order(context, conn, PaymentOrder(kind, reference, amount, "补助", member=member), by="zhang")


def signed(registry: Registry, batch: BankBatch) -> BankBatch:
    """Two people sign a batch."""
    for person in ("zhang", "li"):
        batch = registry.bank_batches.sign(batch.id, batch.digest, by=person)
    return batch


def bank_of(custody: MemoryCustody, code: str = BANK) -> PayoutBank:
    """The bank, which has the key of the union."""
    key = custody.latest("zmk")

    def mac(direction: bytes) -> object:
        return lambda digest: custody.transport_mac(key, direction + b"/" + code.encode(), digest)

    return PayoutBank(mac(b"payments"), mac(b"return"))  # type: ignore[arg-type]


@dataclass
class PayingUnion:
    """The union's side: a registry, its keys and its programme."""

    registry: Registry
    custody: MemoryCustody
    programme: Programme

    def file(self, batch: int) -> bytes:
        """The file of a batch."""
        zone = self.registry.instructions._context.zone
        return b"".join(payment_file(self.registry, self.custody, self.programme, batch, zone=zone, by="zhang"))
