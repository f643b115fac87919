"""Matters: at exactly one window, handed by who holds them, closed once, and never without their words sealed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest
from sqlalchemy import text

from programme.errors import NotInProgramme
from programme.programme import example
from programme.records.windows import matter_kind, new_matter, window_above, window_below, window_place
from registry.errors import NotOnRecord, RegistryConflict, RegistryError
from registry.matters.values import Matter, MatterChannel, MatterStepKind
from registry.members.losses import Loss
from registry.store import Registry
from terminal.keys.memory import MemoryCustody
from tests.support.registry.covered import Population
from tests.support.registry.registrar import SetClock, audit_entries, carded

PROGRAMME = example("beijing-centre").programme
WINDOWS = ("centre", "chaoyang", "jianwai")


@pytest.fixture
def clock() -> SetClock:
    return SetClock(datetime(2026, 3, 2, 4, tzinfo=UTC))


def opened(
    registry: Registry,
    kind: str = "legal",
    window: str = "jianwai",
    *,
    words: str = "拖欠工资",
    member: int | None = None,
) -> Matter:
    new = new_matter(PROGRAMME, kind, window, channel=MatterChannel.WINDOW, words=words, member=member)
    return registry.matters.open(new, by="wang")


def up(registry: Registry, matter: Matter) -> Matter:
    holder = matter.holder.code
    return registry.matters.hand(
        matter.number, holder, window_above(PROGRAMME, holder), by="wang", reason="需要律师", up=True
    )


def down(registry: Registry, matter: Matter, to: str) -> Matter:
    holder = matter.holder.code
    place = window_below(PROGRAMME, holder, to)
    return registry.matters.hand(matter.number, holder, place, by="li", reason="就近办理", up=False)


def test_a_matter_goes_up_and_down_and_is_closed_with_a_result(registry: Registry) -> None:
    member = Population(registry).holder()
    matter = opened(registry, member=member)
    assert (matter.holder.code, matter.due, matter.open, matter.name_masked) == (
        "jianwai",
        date(2026, 4, 1),
        True,
        "欧*",
    )
    matter = up(registry, up(registry, matter))
    assert (matter.holder.code, matter.holder.level, matter.steps) == ("centre", "city", 3)
    with pytest.raises(NotInProgramme, match="no window is above centre"):
        up(registry, matter)
    with pytest.raises(NotInProgramme, match="window jianwai is not below centre; there are chaoyang"):
        down(registry, matter, "jianwai")
    matter = down(registry, matter, "chaoyang")
    registry.matters.note(matter.number, "已约谈单位", by="li")
    closed = registry.matters.close(matter.number, "已补发", by="li")
    assert (closed.open, closed.closed_by, closed.holder.code) == (False, "li", "chaoyang")
    _, steps = registry.matters.opened(matter.number, by="zhao")
    assert [(step.kind, step.window.code, step.words) for step in steps] == [
        (MatterStepKind.OPEN, "jianwai", "拖欠工资"),
        (MatterStepKind.UP, "chaoyang", "需要律师"),
        (MatterStepKind.UP, "centre", "需要律师"),
        (MatterStepKind.DOWN, "chaoyang", "就近办理"),
        (MatterStepKind.NOTE, "chaoyang", "已约谈单位"),
        (MatterStepKind.CLOSE, "chaoyang", "已补发"),
    ]
    assert [entry[0] for entry in audit_entries(registry, "matter.show")] == ["zhao"]


def test_only_the_window_that_holds_a_matter_hands_it_on(registry: Registry) -> None:
    matter = opened(registry)
    up(registry, matter)
    place = window_place(PROGRAMME, "chaoyang")
    with pytest.raises(RegistryConflict, match="window chaoyang holds matter 1, not jianwai") as refused:
        registry.matters.hand(matter.number, "jianwai", place, by="wang", reason="again", up=True)
    assert refused.value.reason == "matter-holder"


def test_a_closed_matter_rests_until_it_is_opened_again(registry: Registry) -> None:
    matter = opened(registry, "consultation", "chaoyang")
    registry.matters.close(matter.number, "已答复", by="wang")
    for action in (
        lambda: registry.matters.close(matter.number, "x", by="wang"),
        lambda: registry.matters.note(matter.number, "x", by="wang"),
        lambda: up(registry, matter),
    ):
        with pytest.raises(RegistryConflict, match="is closed"):
            action()
    again = registry.matters.reopen(matter.number, "答复有误", by="wang")
    assert (again.open, again.closed_at, again.holder.code) == (True, None, "chaoyang")
    with pytest.raises(RegistryConflict, match="matter 1 is open"):
        registry.matters.reopen(matter.number, "x", by="wang")
    with pytest.raises(RegistryConflict, match="say why"):
        registry.matters.close(matter.number, " ", by="wang")
    with pytest.raises(NotOnRecord, match="no matter 9"):
        registry.matters.matter(9)


def test_lists_by_window_member_and_day(registry: Registry, clock: SetClock) -> None:
    member = Population(registry).holder()
    first, second = opened(registry, "consultation", member=member), opened(registry, "legal")
    up(registry, second)

    def numbers(**chosen: object) -> list[int]:
        return [one.number for one in registry.matters.page(**chosen).items]  # type: ignore[arg-type]

    assert (numbers(), numbers(holder="jianwai"), numbers(member=member)) == ([2, 1], [1], [1])
    clock.forward(timedelta(days=1))
    assert numbers(overdue=True) == []
    clock.forward(timedelta(days=1))
    assert numbers(overdue=True) == [first.number]
    registry.matters.close(first.number, "已答复", by="wang")
    assert (numbers(overdue=True), numbers(still_open=True)) == ([], [2])


def test_figures_count_late_ones_and_days(registry: Registry, clock: SetClock) -> None:
    in_time, late, waits = (opened(registry, "consultation") for _ in range(3))
    clock.forward(timedelta(days=1))
    registry.matters.close(in_time.number, "已答复", by="wang")
    up(registry, late)
    clock.forward(timedelta(days=1))
    registry.matters.close(late.number, "已答复", by="wang")
    assert waits.due == date(2026, 3, 3)
    (one,) = registry.matters.figures(date(2026, 3, 2), date(2026, 3, 2))
    assert (one.kind, one.window, one.opened, one.closed, one.late, one.handed, one.days) == (
        "consultation",
        "jianwai",
        3,
        2,
        2,
        1,
        1.5,
    )
    assert registry.matters.figures(date(2026, 3, 3), date(2026, 3, 9)) == []


def test_words_stand_in_no_table_list_or_audit(registry: Registry) -> None:
    matter = opened(registry, words="张三拖欠工资")
    registry.matters.note(matter.number, "电话 13903110001", by="wang")
    with registry.matters._context.read() as conn:
        tables = ("matters", "matter_steps", "audit")
        whole = " ".join(repr(conn.execute(text(f"SELECT * FROM {name}")).all()) for name in tables)  # noqa: S608
    _, steps = registry.matters.opened(matter.number, by="wang")
    for secret in ("张三", "13903110001"):
        assert secret not in whole + repr(steps) + repr(registry.matters.page().items)


def test_the_database_keeps_matters_and_steps(registry: Registry) -> None:
    matter = up(registry, opened(registry))
    registry.matters.close(matter.number, "完", by="wang")
    for statement in (
        "UPDATE matters SET kind = 'job'",
        "UPDATE matters SET steps = steps + 1, holder = 'centre'",
        "UPDATE matters SET closed_at = NULL, closed_by = NULL, closed_on = NULL",
        "DELETE FROM matters",
        "UPDATE matter_steps SET \"window\" = 'centre'",
        "DELETE FROM matter_steps",
    ):
        with pytest.raises(RegistryError), registry.matters._context.write() as conn:
            conn.execute(text(statement))
    assert registry.matters.matter(matter.number).holder.code == "chaoyang"


def test_a_loss_and_its_matter_are_one_transaction(registry: Registry, custody: MemoryCustody) -> None:
    (card,) = carded(registry, custody)

    def note(conn: object, loss: Loss) -> None:
        new = new_matter(PROGRAMME, "loss", "centre", channel=MatterChannel.HOTLINE, member=loss.member_id)
        registry.matters.open_within(conn, new, by="wang")  # type: ignore[arg-type]
        if loss.reason == "fails":
            raise RuntimeError("the process ends here")

    with pytest.raises(RuntimeError):
        registry.losses.report(card.card_number, by="wang", reason="fails", within=note)
    assert (registry.matters.page().items, registry.losses.page().items) == ((), ())
    registry.losses.report(card.card_number, by="wang", reason="丢失", within=note)
    assert [one.kind for one in registry.matters.page(member=card.member_id).items] == ["loss"]
    assert len(registry.losses.page().items) == 1


@pytest.mark.parametrize("seed", range(3))
def test_any_order_of_steps_leaves_a_matter_at_one_window(registry: Registry, seed: int) -> None:
    random, matter = Random(seed), opened(registry)
    place, closed, refusals = 2, False, list[tuple[str, str]]()
    for _ in range(25):
        step = random.choice(("up", "down", "close", "reopen"))
        try:
            if step == "up":
                matter = up(registry, matter)
                place -= 1
            elif step == "down" and place < 2:
                matter = down(registry, matter, WINDOWS[place + 1])
                place += 1
            elif step == "close":
                matter, closed = registry.matters.close(matter.number, "完", by="li"), True
            elif step == "reopen":
                matter, closed = registry.matters.reopen(matter.number, "重办", by="li"), False
        except RegistryConflict as refused:
            refusals.append((refused.reason, "matter-closed" if closed else "matter-open"))
        except NotInProgramme:
            refusals.append((str(place), "0"))
        shown = registry.matters.matter(matter.number)
        assert (shown.holder.code, shown.open) == (WINDOWS[place], not closed)
    assert all(came == expected for came, expected in refusals)


def test_kinds_and_windows_are_those_of_the_file() -> None:
    assert matter_kind(PROGRAMME, "legal").days == 30
    with pytest.raises(NotInProgramme, match="no kind of matter tax in the programme; it has consultation, legal"):
        matter_kind(PROGRAMME, "tax")
    with pytest.raises(NotInProgramme, match="no window north in the programme; it has centre, chaoyang, jianwai"):
        window_place(PROGRAMME, "north")
