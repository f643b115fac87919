"""Account numbers for payment applications: the next of the bank's range, or numbers from the bank's file.

A card that is prepared again keeps its number; the registry stores it sealed and assigns no number twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from personalize.errors import ProfileError
from personalize.profiles.fields import luhn_digit
from personalize.profiles.payment import PanRange
from registry.store import Registry
from registry.values import MemberToPrepare


@dataclass(frozen=True, slots=True)
class BankNumbers:
    """The numbers of a bank's file: those for a person (by ID number), and those for anyone, in file order."""

    named: dict[str, str] = field(repr=False)
    free: tuple[str, ...] = field(repr=False)


def load_numbers(path: Path, rule: PanRange) -> BankNumbers:
    """Read a bank's file: UTF-8 text, a line ``PAN`` or ``ID number,PAN``; empty lines and text after # are ignored.

    Raises ProfileError, one line for each fault with file and line, never with the number.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as e:
        raise ProfileError(f"cannot read the bank's account numbers {path}: {e.strerror}") from e
    except UnicodeDecodeError as e:
        raise ProfileError(f"the bank's account numbers {path} are not UTF-8 text: byte {e.start}") from e
    named: dict[str, str] = {}
    free: list[str] = []
    seen: dict[str, int] = {}
    faults = []
    for number, line in enumerate(lines, 1):
        person, _, pan = ("".join(line.partition("#")[0].split())).rpartition(",")
        if not pan and not person:
            continue
        if fault := _fault(pan, rule) or _twice(person, pan, named, seen):
            faults.append(f"{path}:{number}: {fault}")
            continue
        seen[pan] = number
        if person:
            named[person.upper()] = pan
        else:
            free.append(pan)
    if faults:
        raise ProfileError("\n".join(faults))
    return BankNumbers(named, tuple(free))


def _fault(pan: str, rule: PanRange) -> str:
    """The fault of an account number, or an empty text. ISO/IEC 7812-1:2017, 4."""
    if not (pan.isascii() and pan.isdigit()):
        return "an account number is decimal digits"
    if len(pan) != rule.length:
        return f"an account number of {len(pan)} digits; the profile says {rule.length}"
    if not pan.startswith(rule.prefix):
        return f"the account number does not begin with {rule.prefix}, the prefix of the profile"
    if luhn_digit(pan[:-1]) != pan[-1]:
        return "the check digit is wrong"
    return ""


def _twice(person: str, pan: str, named: dict[str, str], seen: dict[str, int]) -> str:
    if pan in seen:
        return f"the same account number as in line {seen[pan]}"
    return "this person has an account number already" if person and person.upper() in named else ""


def assign(
    registry: Registry, rule: PanRange, cards: Sequence[tuple[MemberToPrepare, str]], numbers: BankNumbers | None = None
) -> list[str]:
    """An account number for each member and card number, in order; ``numbers`` from the bank's file, if any.

    Nothing is stored: ``Registry.dossiers.add`` binds them. Raises ProfileError when the range or the file is used up.
    """
    known = registry.pans.of_cards([card for _, card in cards])
    new = [(member, card) for member, card in cards if card not in known]
    fresh = _from_file(registry, numbers, new) if numbers else _from_range(registry, rule, len(new))
    return [known[card] if card in known else next(fresh) for _, card in cards]


def _from_range(registry: Registry, rule: PanRange, count: int) -> Iterator[str]:
    serials = registry.pans.allocate_serials(rule.prefix, count) if count else ()
    return (rule.number(serial) for serial in serials)


def _from_file(registry: Registry, numbers: BankNumbers, new: Sequence[tuple[MemberToPrepare, str]]) -> Iterator[str]:
    taken = registry.pans.taken([*numbers.free, *numbers.named.values()])
    free = iter([pan for pan in numbers.free if pan not in taken])
    for member, _ in new:
        pan = numbers.named.get(member.person.id_number)
        if pan is None or pan in taken:
            pan = next(free, None)
        if pan is None:
            raise ProfileError(
                f"the bank's file has no account number left for member {member.member_number}; ask the bank for more"
            )
        yield pan
