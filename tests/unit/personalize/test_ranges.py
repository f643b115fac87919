"""How full the ranges of a card profile are, before a batch is approved."""

from __future__ import annotations

from pathlib import Path

import pytest

from membercard.commands.intake.batch import range_warning
from membercard.language import Language, choose
from personalize.profiles.fields import NumberRange
from personalize.profiles.profile import Profile, default_profile, parse_profile, shipped_profile
from personalize.ranges import approve, ranges_for
from registry.errors import RegistryConflict
from registry.ranges import RangeKind
from registry.store import Registry
from tests.support import issuer


def draft(store: Registry, count: int) -> str:
    rows = issuer.rows(count)
    return store.rosters.import_roster("测试工会", rows, [], source="f", digest="d", by="clerk").id


def small_cards(prefix: str) -> Profile:
    """A profile with room for 999 cards."""
    number = default_profile().card_number.model_copy(update={"prefix": prefix, "length": 16})
    return default_profile().model_copy(update={"card_number": number})


def test_the_shipped_profiles_have_room_for_ten_million_members(tmp_path: Path) -> None:
    for name in ("union-member", "union-member-bank"):
        with issuer.registry(f"sqlite:///{tmp_path / name}") as store:
            uses = ranges_for(store, shipped_profile(name), draft(store, 2))
        assert (uses[0].kind, uses[0].prefix, uses[0].capacity) == (RangeKind.MEMBER, "13000", 9_999_999)
        assert [use.needed for use in uses] == [2] * len(uses)
        assert not any(use.nearly_full for use in uses)
    assert uses[-1].kind is RangeKind.PAN


def test_a_batch_that_needs_more_cards_than_are_left_is_not_approved(tmp_path: Path) -> None:
    profile = small_cards("915613001234")
    with issuer.registry(f"sqlite:///{tmp_path / 'r.db'}") as store:
        store.cards.allocate_serials("915613001234", 997)
        batch = draft(store, 3)
        cards = ranges_for(store, profile, batch)[1]
        assert (cards.capacity, cards.used, cards.needed) == (999, 997, 3)
        assert (cards.nearly_full, cards.exceeded) == (True, True)
        with pytest.raises(RegistryConflict, match="card numbers under 915613001234 2 are left and 3 are needed"):
            approve(store, profile, batch, "reviewer")
        assert approve(store, small_cards("915613001235"), batch, "reviewer").accepted == 3


def test_the_last_card_number_of_a_range_exists() -> None:
    full = NumberRange(prefix="915613001234", length=16)
    assert full.number(full.capacity)[:-1] == "915613001234999"


def test_a_file_of_account_numbers_is_a_range_too(tmp_path: Path) -> None:
    profile = shipped_profile("union-member-bank")
    payment = profile.payment
    assert payment is not None
    listed = tmp_path / "numbers.txt"
    listed.write_text("\n".join(payment.pan.number(serial) for serial in range(1, 5)))
    pan = payment.pan.model_copy(update={"file": str(listed)})
    profile = profile.model_copy(update={"payment": payment.model_copy(update={"pan": pan})})
    with issuer.registry(f"sqlite:///{tmp_path / 'r.db'}") as store:
        uses = ranges_for(store, profile, draft(store, 5))
        with pytest.raises(RegistryConflict, match="account numbers"):
            approve(store, profile, store.batches.all()[0].id, "reviewer")
        listed.unlink()
        without = ranges_for(store, profile, store.batches.all()[0].id)
    assert (uses[-1].kind, uses[-1].capacity, uses[-1].used, uses[-1].needed) == (RangeKind.PAN, 4, 0, 5)
    assert [use.kind for use in without] == [RangeKind.MEMBER, RangeKind.CARD]


@pytest.mark.parametrize("prefix", ["13000", "130000", "13", "1300001", ""])
def test_prefixes_of_member_numbers_that_agree_with_the_scheme(prefix: str) -> None:
    text = f'profile: a\nscheme: "130000"\ncard_number: {{prefix: "91561300"}}\nmember_number: {{prefix: "{prefix}"}}\n'
    assert parse_profile(text, "a.yaml").member_prefix == (prefix or "13000")


@pytest.mark.parametrize("prefix", ["14000", "1", "130001", "130000123456", "13a"])
def test_other_prefixes_are_refused_with_their_line(prefix: str) -> None:
    text = f'profile: a\nscheme: "130000"\ncard_number: {{prefix: "91561300"}}\nmember_number: {{prefix: "{prefix}"}}\n'
    with pytest.raises(Exception, match=r"a\.yaml:"):
        parse_profile(text, "a.yaml")


def test_the_warning_is_in_the_language_of_the_command(tmp_path: Path) -> None:
    with issuer.registry(f"sqlite:///{tmp_path / 'r.db'}") as store:
        store.cards.allocate_serials("915613001234", 850)
        cards = ranges_for(store, small_cards("915613001234"), draft(store, 3))[1]
    try:
        choose(Language.ENGLISH)
        assert range_warning(cards) == (
            "warning: card numbers under 915613001234: 85 % in use with this batch, 149 of 999 left before it and "
            "3 needed"
        )
        choose(Language.CHINESE)
        assert range_warning(cards) == (
            "警告：卡号段 915613001234 计入本批次后已用 85%，此前剩余 149 个（共 999 个），本批次需要 3 个"
        )
    finally:
        choose(None)
