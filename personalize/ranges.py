"""How full the ranges of numbers of a card profile are, before a batch is approved that draws on them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from personalize.errors import ProfileError
from personalize.payment.pan import load_numbers
from personalize.profiles.profile import Profile
from registry.ranges import RangeKind, RangeUse, SerialRange, member_range
from registry.store import Registry
from registry.values import Batch


def ranges_of(profile: Profile) -> list[SerialRange]:
    """The ranges of member, card and account numbers of a profile.

    A file of account numbers that this station cannot read is left out: it is needed where cards are prepared.
    """
    cards = profile.card_number
    ranges = [
        member_range(profile.scheme, profile.member_prefix),
        SerialRange(RangeKind.CARD, cards.prefix, cards.capacity),
    ]
    payment = profile.payment
    if payment is not None and not payment.pan.file:
        ranges.append(SerialRange(RangeKind.PAN, payment.pan.prefix, payment.pan.capacity))
    elif payment is not None and payment.pan.file:
        with suppress(ProfileError):
            numbers = load_numbers(Path(payment.pan.file), payment.pan)
            listed = (*numbers.free, *numbers.named.values())
            ranges.append(SerialRange(RangeKind.PAN, payment.pan.prefix, len(listed), listed))
    return ranges


def ranges_for(registry: Registry, profile: Profile, batch_id: str) -> list[RangeUse]:
    """How many numbers of each range are in use, and how many the draft needs. Raises NotOnRecord."""
    return registry.batches.range_use(batch_id, ranges_of(profile), scheme=profile.scheme)


def approve(registry: Registry, profile: Profile, batch_id: str, by: str) -> Batch:
    """A second person approves a draft, whose numbers must be there: those of its members, cards and accounts.

    Raises RegistryConflict.
    """
    return registry.batches.approve(
        batch_id, by, scheme=profile.scheme, member_prefix=profile.member_prefix, ranges=ranges_of(profile)
    )
