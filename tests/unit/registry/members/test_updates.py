"""What the office wants on issued chips, the scripts that were sent, and what came of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pytest
from sqlalchemy import Connection, insert, select, update

from registry.db.tables import card_scripts, card_updates
from registry.errors import NotOnRecord, RegistryConflict, RegistryError
from registry.members import credits, updates
from registry.members.cards import needs_activation
from registry.members.wanted import UpdateKind, UpdateState, WantedChange
from registry.store import Registry
from registry.values import Card, CardState
from terminal.keys.memory import MemoryCustody
from tests.support.registry.registrar import SetClock, audit_entries, claimed, ready

VALIDITY, COVER = {UpdateKind.VALIDITY: b"\x36\x12\x31"}, {UpdateKind.COVER: b"\x28\x06\x30"}
DAY = b"\x26\x11\x22"


@pytest.fixture
def card(registry: Registry, custody: MemoryCustody) -> Card:
    """A delivered card that its member has to activate."""
    verified = registry.line.verified(
        claimed(registry, ready(registry, custody, 1), 1), {"verdict": "NOT_ACTIVATED"}, 1.0
    )
    for state in ("packed", "delivered"):
        registry.cards.change(verified.card_number, state, "前台", "")
    return registry.cards.card(verified.card_number)


def states(registry: Registry, card: Card) -> list[tuple[str, str]]:
    return [(one.kind.value, one.state.value) for one in registry.updates.of_card(card.card_number, card.sequence)]


def sent(registry: Registry, card: Card) -> int:
    """The id of a script of everything that is pending."""
    pending = registry.updates.pending(card.card_number, card.sequence)
    ids = [one.id for one in pending]
    return registry.updates.begin(card.card_number, card.sequence, b"script", ids, by="窗口", place="网点 7")


def test_a_wanted_change_waits_until_its_script_ran(registry: Registry, clock: SetClock, card: Card) -> None:
    assert not registry.updates.any_waiting()
    (wanted,) = registry.updates.want(card.card_number, VALIDITY, by="会籍科", reason="续期")
    assert (wanted.state, wanted.value, wanted.wanted_by, wanted.reason) == (
        UpdateState.PENDING,
        b"\x36\x12\x31",
        "会籍科",
        "续期",
    )
    script_id = sent(registry, card)
    open_script = registry.updates.open_script(card.card_number, card.sequence)
    assert open_script is not None
    assert (open_script.id, open_script.script) == (script_id, b"script")
    assert states(registry, card) == [("validity", "sent")]
    assert registry.updates.any_waiting()
    (done,) = registry.updates.finish(script_id, 1, by="窗口", place="网点 7")
    assert (done.id, done.state, done.ended_at, done.ended_by, done.place) == (
        wanted.id,
        UpdateState.DONE,
        clock(),
        "窗口",
        "网点 7",
    )
    assert registry.updates.open_script(card.card_number, card.sequence) is None
    assert not registry.updates.any_waiting()
    assert registry.updates.finish(script_id, 1, by="窗口", place="") == ()


def test_credits_add_up_and_replace_nothing(registry: Registry, card: Card) -> None:
    value = credits.credit_of("0101", 2, date(2026, 1, 1))
    assert value == bytes.fromhex("0101020205260101")
    for _ in range(2):
        registry.updates.want(card.card_number, {UpdateKind.CREDIT: value}, by="柜台", reason="T0000001-57")
    script = sent(registry, card)
    registry.updates.want(card.card_number, {UpdateKind.CREDIT: value}, by="柜台", reason="T0000001-58")
    registry.updates.finish(script, 1, by="柜台", place="")
    assert states(registry, card) == [("credit", "done"), ("credit", "pending"), ("credit", "pending")]


def test_of_a_script_that_ran_in_part_the_rest_is_wanted_again(registry: Registry, card: Card) -> None:
    registry.updates.want(card.card_number, VALIDITY, by="会籍科", reason="续期")
    registry.updates.want(card.card_number, COVER, by="会籍科", reason="续保")
    done = registry.updates.finish(sent(registry, card), 1, by="窗口", place="")
    assert [one.kind for one in done] == [UpdateKind.VALIDITY]
    assert [one.kind for one in registry.updates.pending(card.card_number, card.sequence)] == [UpdateKind.COVER]


def test_what_the_card_refused_is_not_tried_again(registry: Registry, card: Card) -> None:
    registry.updates.want(card.card_number, VALIDITY | COVER, by="会籍科", reason="续期")
    registry.updates.finish(sent(registry, card), 0, refusal="6A88", by="窗口", place="")
    assert states(registry, card) == [("validity", "refused"), ("cover", "pending")]
    assert registry.updates.of_card(card.card_number, card.sequence)[0].refusal == "6A88"


def test_a_newer_wish_takes_the_place_of_one_that_waits(registry: Registry, card: Card) -> None:
    registry.updates.want(card.card_number, VALIDITY, by="会籍科", reason="续期")
    registry.updates.want(card.card_number, {UpdateKind.VALIDITY: b"\x37\x12\x31"}, by="会籍科", reason="更正")
    assert states(registry, card) == [("validity", "withdrawn"), ("validity", "pending")]


def test_a_newer_wish_holds_where_the_earlier_one_did_not_run(registry: Registry, card: Card) -> None:
    registry.updates.want(card.card_number, VALIDITY, by="会籍科", reason="续期")
    script_id = sent(registry, card)
    registry.updates.want(card.card_number, {UpdateKind.VALIDITY: b"\x37\x12\x31"}, by="会籍科", reason="更正")
    registry.updates.finish(script_id, 0, by="窗口", place="")
    assert states(registry, card) == [("validity", "withdrawn"), ("validity", "pending")]


def test_a_card_has_one_open_script(registry: Registry, card: Card) -> None:
    registry.updates.want(card.card_number, VALIDITY, by="会籍科", reason="续期")
    sent(registry, card)
    registry.updates.want(card.card_number, COVER, by="会籍科", reason="续保")
    with pytest.raises(RegistryError):
        sent(registry, card)
    assert states(registry, card) == [("validity", "sent"), ("cover", "pending")]


def test_a_pending_change_is_taken_back_and_a_sent_one_is_not(registry: Registry, card: Card) -> None:
    (wanted,) = registry.updates.want(card.card_number, VALIDITY, by="会籍科", reason="续期")
    assert registry.updates.withdraw(wanted.id, by="会籍科", reason="误录").state is UpdateState.WITHDRAWN
    (other,) = registry.updates.want(card.card_number, COVER, by="会籍科", reason="续保")
    sent(registry, card)
    with pytest.raises(RegistryConflict, match="is sent and cannot be taken back"):
        registry.updates.withdraw(other.id, by="会籍科", reason="误录")
    with pytest.raises(NotOnRecord, match="no wanted change 999"):
        registry.updates.withdraw(999, by="会籍科", reason="误录")


def test_a_card_is_active_when_its_chip_has_confirmed_and_not_before(registry: Registry, card: Card) -> None:
    with pytest.raises(RegistryConflict, match="with its member present") as refused:
        registry.cards.change(card.card_number, "active", "前台", "签收")
    assert refused.value.reason == "card-needs-activation"
    registry.updates.activate(card.card_number, 1, DAY, by="窗口", shown="身份证 13010219800101123X", place="网点 7")
    script_id = sent(registry, card)
    assert registry.cards.card(card.card_number).state is CardState.DELIVERED
    registry.updates.finish(script_id, 1, by="窗口", place="网点 7")
    assert registry.cards.card(card.card_number).state is CardState.ACTIVE
    event = registry.cards.events(card.card_number)[-1]
    assert (event.event, event.by, event.place) == ("active", "窗口", "网点 7")
    assert "13010219800101123X" not in event.reason
    actions = [row.entry.action for row in registry.audit.page().items]
    assert actions[:2] == ["card.update", "card.identify"]
    registry.cards.change(card.card_number, "suspended", "前台", "")
    registry.cards.change(card.card_number, "active", "前台", "")


def test_an_activation_that_did_not_run_leaves_the_card_delivered(registry: Registry, card: Card) -> None:
    registry.updates.activate(card.card_number, 1, DAY, by="窗口", shown="身份证", place="")
    registry.updates.finish(sent(registry, card), 0, by="窗口", place="")
    assert registry.cards.card(card.card_number).state is CardState.DELIVERED
    assert states(registry, card) == [("activation", "pending")]


def test_a_card_of_before_goes_its_way_without_a_chip(registry: Registry, custody: MemoryCustody) -> None:
    old = registry.line.verified(claimed(registry, ready(registry, custody, 1), 1), {"verdict": "ACTIVE"}, 1.0)
    assert not needs_activation(old.result)
    for state in ("packed", "delivered", "active"):
        registry.cards.change(old.card_number, state, "前台", "")
    assert registry.cards.card(old.card_number).state is CardState.ACTIVE


def test_only_a_delivered_card_is_activated_for_a_member_who_was_identified(
    registry: Registry, custody: MemoryCustody
) -> None:
    verified = registry.line.verified(
        claimed(registry, ready(registry, custody, 1), 1), {"verdict": "NOT_ACTIVATED"}, 1.0
    )
    with pytest.raises(RegistryConflict, match="is verified; only a delivered card"):
        registry.updates.activate(verified.card_number, 1, DAY, by="窗口", shown="身份证", place="")
    with pytest.raises(RegistryConflict, match="what identified the member"):
        registry.updates.activate(verified.card_number, 1, DAY, by="窗口", shown=" ", place="")
    with pytest.raises(RegistryConflict, match="with its member present"):
        registry.updates.want(verified.card_number, {UpdateKind.ACTIVATION: DAY}, by="会籍科", reason="代办")


def test_nothing_but_a_block_is_wanted_on_a_card_that_has_ended(registry: Registry, card: Card) -> None:
    registry.cards.change(card.card_number, "lost", "前台", "")
    with pytest.raises(RegistryConflict, match="is lost: nothing on it is changed"):
        registry.updates.want(card.card_number, VALIDITY, by="会籍科", reason="续期")
    registry.updates.want(card.card_number, {UpdateKind.BLOCK: b"\x01"}, by="会籍科", reason="挂失")
    assert states(registry, card) == [("block", "pending")]


def test_wanted_changes_come_in_pages_newest_first(registry: Registry, card: Card) -> None:
    for kind in (UpdateKind.VALIDITY, UpdateKind.COVER, UpdateKind.CATEGORY):
        registry.updates.want(card.card_number, {kind: b"\x01"}, by="会籍科", reason="批量")
    first = registry.updates.page(limit=2, card_number=card.card_number)
    assert [one.kind.value for one in first.items] == ["category", "cover"]
    assert [one.kind.value for one in registry.updates.page(first.next, 2).items] == ["validity"]
    with pytest.raises(RegistryConflict, match="reason"):
        registry.updates.want(card.card_number, VALIDITY, by="会籍科", reason=" ")


def test_a_change_that_was_sent_since_it_was_read_stays_sent(
    registry: Registry, card: Card, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    (wanted,) = registry.updates.want(card.card_number, VALIDITY, by="会籍科", reason="续期")
    read = updates._updates

    def then_sent(conn: Connection, ids: Sequence[int]) -> list[WantedChange]:
        """Between a reading and a writing of one transaction another one sends the change, as PostgreSQL allows it."""
        rows = read(conn, ids)
        values = {"card_number": card.card_number, "sequence": card.sequence, "script": b"s", "by": "窗口", "place": ""}
        script = conn.execute(insert(card_scripts).values(**values, at=clock()).returning(card_scripts.c.id)).scalar()
        sent = {"state": "sent", "script_id": script, "position": 0}
        conn.execute(update(card_updates).where(card_updates.c.id == wanted.id).values(**sent))
        return rows

    monkeypatch.setattr(updates, "_updates", then_sent)
    with pytest.raises(RegistryConflict, match="is sent and cannot be taken back"):
        registry.updates.withdraw(wanted.id, by="会籍科", reason="误")
    assert registry.updates.settle([wanted.id], by="窗口", place="") == ()
    assert states(registry, card) == [("validity", "sent")]


def test_what_identified_the_member_is_stored_without_the_name(registry: Registry, card: Card) -> None:
    name = registry.members.unmask(card.member_id, by="李", reason="test").name
    masked = f"{name[0]}{'*' * (len(name) - 1)}"
    (wanted,) = registry.updates.want(card.card_number, VALIDITY, by="会籍科", reason=f"{name}续期")
    registry.updates.withdraw(wanted.id, by="会籍科", reason=f"{name}退会")
    activation = registry.updates.activate(
        card.card_number, card.sequence, DAY, by="窗口", shown=f"{name}身份证", place=""
    )
    assert (wanted.reason, activation.reason) == (f"{masked}续期", f"{masked}身份证")
    actions = ("card.want", "card.withdraw-change", "card.identify")
    stored = [reason for action in actions for _, _, reason in audit_entries(registry, action)]
    assert stored == [f"{masked}续期", f"{masked}退会", f"{masked}身份证"]


UNBLOCK = {UpdateKind.BLOCK: b"\x00"}


@pytest.mark.parametrize(
    "wanted", [UNBLOCK, {UpdateKind.PIN_UNBLOCK: b""}, {UpdateKind.LAST_DATE: DAY}], ids=["block", "pin", "date"]
)
def test_what_lifts_a_block_waits_for_a_second_person(
    registry: Registry, card: Card, wanted: dict[UpdateKind, bytes]
) -> None:
    (ordered,) = registry.updates.want(card.card_number, wanted, by="会籍科", reason="会员到场")
    assert ordered.state is UpdateState.PROPOSED
    assert registry.updates.pending(card.card_number, 1) == ()
    assert not registry.updates.any_waiting()
    assert registry.updates.proposed(10) == (ordered,)
    for same in ("会籍科", "会籍科 (unproven)", " "):
        with pytest.raises(RegistryConflict, match="a second person does"):
            registry.updates.consent(ordered.id, by=same)
    consented = registry.updates.consent(ordered.id, by="复核", place="网点 7")
    assert (consented.state, consented.consented_by) == (UpdateState.PENDING, "复核")
    assert registry.updates.pending(card.card_number, 1) == (consented,)
    assert registry.updates.proposed(10) == ()
    with pytest.raises(RegistryConflict, match="waits for nobody's consent"):
        registry.updates.consent(ordered.id, by="复核")
    assert audit_entries(registry, "card.consent")[0][0] == "复核"
    registry.updates.finish(sent(registry, card), 1, by="窗口", place="")
    assert states(registry, card) == [(ordered.kind.value, "done")]


def test_a_block_needs_one_person_and_stays_ordered_until_its_lifting_is_consented_to(
    registry: Registry, card: Card
) -> None:
    registry.updates.want(card.card_number, {UpdateKind.BLOCK: b"\x01"}, by="会籍科", reason="可疑")
    (lifted,) = registry.updates.want(card.card_number, UNBLOCK, by="会籍科", reason="已查清")
    assert states(registry, card) == [("block", "pending"), ("block", "proposed")]
    registry.updates.consent(lifted.id, by="复核")
    assert states(registry, card) == [("block", "withdrawn"), ("block", "pending")]
    registry.updates.want(card.card_number, UNBLOCK, by="会籍科", reason="再次")
    (newer,) = registry.updates.want(card.card_number, UNBLOCK, by="窗口", reason="再次")
    assert [state for _, state in states(registry, card)] == ["withdrawn", "pending", "withdrawn", "proposed"]
    registry.updates.withdraw(newer.id, by="复核", reason="不同意")
    registry.updates.want(card.card_number, UNBLOCK, by="窗口", reason="三次")
    registry.updates.want(card.card_number, {UpdateKind.BLOCK: b"\x01"}, by="会籍科", reason="可疑")
    assert [state for _, state in states(registry, card)][3:] == ["withdrawn", "withdrawn", "pending"]


def test_a_second_person_is_demanded_by_the_database(registry: Registry, card: Card) -> None:
    (ordered,) = registry.updates.want(card.card_number, UNBLOCK, by="会籍科", reason="会员到场")
    mine = update(card_updates).where(card_updates.c.id == ordered.id)
    for values in (
        {"state": "pending"},
        {"state": "pending", "consented_by": "会籍科", "consented_at": ordered.wanted_at},
        {"consented_by": "复核"},
    ):
        with pytest.raises(RegistryError), registry.updates._context.write() as conn:
            conn.execute(mine.values(values))


def test_a_new_pin_needs_its_member_and_leaves_nothing_behind(registry: Registry, card: Card) -> None:
    number = card.card_number
    with pytest.raises(RegistryConflict, match="with the member present"):
        registry.updates.want(number, {UpdateKind.PIN_CHANGE: b"block"}, by="窗口", reason="忘记密码")
    with pytest.raises(RegistryConflict, match="identified"):
        registry.updates.change_pin(number, 1, b"block", by="窗口", shown=" ", place="网点 7")
    with pytest.raises(RegistryConflict, match="a second person does"):
        registry.updates.change_pin(number, 1, b"block", by="窗口", shown="身份证", place="网点 7", second="窗口")
    wanted = registry.updates.change_pin(number, 1, b"block", by="窗口", shown="身份证", place="网点 7")
    assert (wanted.state, wanted.value, wanted.consented_by) == (UpdateState.PENDING, b"block", None)
    assert "block" not in repr(wanted).replace("UpdateKind.BLOCK", "")
    entry = registry.audit.page(None, 1).items[0].entry
    assert (entry.action, entry.actor, entry.reason) == ("card.pin", "窗口", "身份证")
    assert "block" not in repr(entry), "the audit has no PIN"
    registry.updates.finish(sent(registry, card), 0, by="窗口", place="")
    assert [one.value for one in registry.updates.pending(number, 1)] == [b"block"], "its command did not run"
    registry.updates.finish(sent(registry, card), 1, by="窗口", place="")
    second = registry.updates.change_pin(number, 1, b"newer", by="窗口", shown="身份证", place="网点 7", second="复核")
    assert second.consented_by == "复核"
    registry.updates.change_pin(number, 1, b"newest", by="窗口", shown="身份证", place="网点 7")
    assert [one.value for one in registry.updates.of_card(number, 1)] == [b"", b"", b"newest"]
    with registry.updates._context.read() as conn:
        assert set(conn.execute(select(card_scripts.c.script)).scalars()) == {b""}


def test_a_lost_card_gets_no_new_pin(registry: Registry, card: Card) -> None:
    registry.cards.change(card.card_number, "lost", "前台", "")
    with pytest.raises(RegistryConflict, match="is lost; only a delivered card"):
        registry.updates.change_pin(card.card_number, 1, b"block", by="窗口", shown="身份证", place="网点 7")
