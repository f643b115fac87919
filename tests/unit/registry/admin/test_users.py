"""Users, their sessions and tokens, and the throttle of failed sign-ins."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import sha256
from threading import Barrier

import pytest
from sqlalchemy import text

from registry.admin.audit import AuditFilter
from registry.errors import NotOnRecord, RegistryConflict
from registry.store import Registry
from terminal.keys.memory import MemoryCustody
from tests.support.registry.registrar import UNIT, SetClock, rows

HASH = "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA"
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def add_users(registry: Registry) -> None:
    registry.users.first("root", "管理员", HASH, ["administrator"])
    registry.users.add("li.na", "李娜", HASH, ["registrar", "operator"], by="root")


def secret(number: int) -> bytes:
    return sha256(bytes([number])).digest()


def opened(registry: Registry, number: int, name: str = "li.na") -> bytes:
    registry.sessions.open(name, secret(number), f"csrf {number}", lifetime=DAY, idle=HOUR, origin="127.0.0.1")
    return secret(number)


def test_the_first_user_is_added_once(registry: Registry) -> None:
    first = registry.users.first("root", "管理员", HASH, ["administrator"])
    assert first is not None
    assert (first.must_change, first.roles) == (True, {"administrator"})
    assert registry.users.first("other", "", HASH, ["administrator"]) is None
    assert [user.name for user in registry.users.page().items] == ["root"]


def test_a_user_is_recognized_however_the_name_is_written(registry: Registry) -> None:
    add_users(registry)
    registry.users.add("Wang Wei", "王伟", HASH, ["reviewer"], by="root", language="en", must_change=False)
    record = registry.users.user("  wang   WEI ")
    assert (record.name, record.display, record.language, record.must_change) == ("Wang Wei", "王伟", "en", False)
    assert registry.users.password_hash("WANG WEI") == HASH
    assert registry.users.password_hash("nobody") is None
    with pytest.raises(RegistryConflict, match="there is a user Wang Wei already"):
        registry.users.add("WANG wei", "", HASH, [], by="root")
    with pytest.raises(NotOnRecord) as caught:
        registry.users.user("a password typed here")
    assert "password" not in str(caught.value)


TWINS = ["li.n\u0430", "I\u0456.na", "1i.na", "\uff2c\uff29.na", "l1.n\u0430"]


@pytest.mark.parametrize("name", TWINS, ids=ascii)
def test_a_name_that_looks_like_another_is_refused(registry: Registry, name: str) -> None:
    add_users(registry)
    with pytest.raises(RegistryConflict, match=r"there is a user li\.na already"):
        registry.users.add(name, "", HASH, [], by="root")


@pytest.mark.parametrize("sign", ["\u3164", "\u115f", "\u1160", "\u034f", "\ufe0f", "\u2800", "\uffa0", "\u00ad"])
def test_a_name_with_a_character_that_cannot_be_seen_is_refused(registry: Registry, sign: str) -> None:
    for name in (f"wang{sign}", sign, f"wa{sign}ng"):
        with pytest.raises(RegistryConflict, match="a user's name is"):
            registry.users.add(name, "", HASH, [], by="root")
    with pytest.raises(RegistryConflict, match="the name shown"):
        registry.users.add("wang", f"王{sign}芳", HASH, [], by="root")


def test_users_of_an_earlier_method_keep_their_names_unless_they_are_twins(
    url: str, registry: Registry, custody: MemoryCustody
) -> None:
    registry.users.add("l\u0456.na", "", HASH, ["registrar"], by="x")
    for name in ("root", "wang"):
        registry.users.add(name, "", HASH, ["administrator"], by="x")
    with registry._context.database.write() as conn:  # as a registry whose names were compared letter by letter
        conn.execute(text("UPDATE users SET name = 'li.na' WHERE name = 'wang'"))
        conn.execute(text("UPDATE users SET folded = name"))
        conn.execute(text("INSERT INTO counters (name, value) VALUES ('users/fold', 1)"))
    with Registry.open(url, custody) as opened:
        people = {user.name: user.disabled for user in opened.users.page().items}
        assert people == {"l\u0456.na": True, "root": False, "li.na": False}
        assert opened.users.user("LI.NA").name == "li.na"
        last = opened.audit.page(None, 1).items[0].entry
        assert (last.action, last.subject, last.reason) == (
            "user.disable",
            "user:l\u0456.na",
            "the name cannot be told from that of li.na",
        )
    Registry.open(url, custody).close()
    assert registry.audit.page(None, 1).items[0].entry == last


@pytest.mark.parametrize("name", ["liNA", "ｌｉ.ｎａ", "li.na", "LI. NA"])
def test_one_person_cannot_be_two_by_another_spelling(registry: Registry, name: str) -> None:
    registry.users.first("root", "管理员", HASH, ["administrator"])
    registry.users.add("li.na" if "." in name or "．" in name else "Li Na", "李娜", HASH, [], by="root")
    with pytest.raises(RegistryConflict, match="there is a user"):
        registry.users.add(name, "", HASH, [], by="root")


@pytest.mark.parametrize("again", ["李 娜", "李娜\u200b", "李\u3000娜", "\ufeff李娜 "])
def test_nobody_approves_their_own_work_under_another_spelling(registry: Registry, again: str) -> None:
    batch = registry.rosters.import_roster(UNIT, rows(1), [], source="f", digest="d", by="李娜").id
    with pytest.raises(RegistryConflict, match="a second person approves it"):
        registry.batches.approve(batch, again)
    assert registry.batches.approve(batch, "李娜娜").approved_by == "李娜娜"


@pytest.mark.parametrize("name", ["", " ", "a  b", "a\nb", "x" * 65, "a/b", "a:b", "<b>", " a"])
def test_names_that_are_none(registry: Registry, name: str) -> None:
    with pytest.raises(RegistryConflict, match="a user's name is letters"):
        registry.users.add(name, "", HASH, [], by="root")


def test_pages_of_people(registry: Registry) -> None:
    add_users(registry)
    for number in range(5):
        registry.users.add(f"user{number}", "", HASH, ["counter"], by="root")
    first = registry.users.page(limit=4)
    second = registry.users.page(first.next, 4)
    assert [user.name for user in first.items] == ["li.na", "root", "user0", "user1"]
    assert [user.name for user in second.items] == ["user2", "user3", "user4"]
    assert second.next is None


def test_changes_of_roles_and_passwords_end_sessions(registry: Registry) -> None:
    add_users(registry)
    for change in (
        lambda: registry.users.change("li.na", by="root", roles=["counter"], reason="调岗"),
        lambda: registry.users.set_password("li.na", HASH + "2", by="root", must_change=True),
        lambda: registry.users.disable("li.na", by="root", reason="离职"),
    ):
        token = opened(registry, 1)
        assert registry.sessions.find(token) is not None
        change()
        assert registry.sessions.find(token) is None
    person = registry.users.user("li.na")
    assert (person.roles, person.must_change, person.disabled) == ({"counter"}, True, True)
    assert registry.users.password_hash("li.na") == HASH + "2"
    with pytest.raises(RegistryConflict, match="is disabled and cannot sign in"):
        opened(registry, 2)
    assert not registry.users.enable("li.na", by="root", reason="回来").disabled
    assert registry.users.change("li.na", by="li.na", language="en", display="Li Na").display == "Li Na"
    actions = [row.entry.action for row in registry.audit.page(where=AuditFilter(subject="user:li.na")).items]
    assert actions[:3] == ["user.change", "user.enable", "user.disable"]
    assert not any(HASH in str(row) for row in registry.audit.page(limit=500).items)


def test_the_last_administrator_stays(registry: Registry) -> None:
    add_users(registry)
    for change in (
        lambda: registry.users.disable("root", by="root", reason="x"),
        lambda: registry.users.change("root", by="root", roles=["counter"]),
    ):
        with pytest.raises(RegistryConflict, match="root is the last administrator"):
            change()
    registry.users.change("li.na", by="root", roles=["administrator"])
    assert registry.users.disable("root", by="li.na", reason="离职").disabled


def test_two_administrators_cannot_put_each_other_out(registry: Registry) -> None:
    add_users(registry)
    registry.users.change("li.na", by="root", roles=["administrator"])
    together = Barrier(2)

    def out(name: str) -> bool:
        together.wait()
        try:
            return registry.users.disable(name, by="the other", reason="x").disabled
        except RegistryConflict:
            return False

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(out, ["root", "li.na"])) == [False, True]


@pytest.mark.parametrize(
    ("do", "sentence"),
    [
        (lambda people: people.disable("li.na", by="root", reason=" "), "needs a reason"),
        (lambda people: people.change("li.na", by="root", roles=["Operator!"]), "a role is lower-case"),
        (lambda people: people.change("li.na", by="root", language="fr"), "a language is zh or en"),
        (lambda people: people.change("li.na", by="root", display="\x1b[31m"), "1 to 64 printable"),
        (lambda people: people.change("nobody", by="root", display="x"), "no user of that name"),
    ],
)
def test_changes_that_are_refused(registry: Registry, do: Callable[[object], object], sentence: str) -> None:
    add_users(registry)
    with pytest.raises(RegistryConflict, match=sentence):
        do(registry.users)
    assert registry.users.user("li.na").roles == {"registrar", "operator"}


def test_sessions_end_by_time_by_idleness_and_by_hand(registry: Registry, clock: SetClock) -> None:
    add_users(registry)
    token = opened(registry, 1)
    other = opened(registry, 2)
    session = registry.sessions.find(token)
    assert session is not None
    assert (session.user.name, session.csrf, session.origin) == ("li.na", "csrf 1", "127.0.0.1")
    assert "csrf 1" not in repr(session)
    assert registry.users.user("li.na").signed_in_at == clock.now
    assert registry.sessions.find(secret(9)) is None
    for _ in range(25):
        clock.forward(timedelta(minutes=59))
        registry.sessions.touch(token)
        if registry.sessions.find(token) is None:
            break
    assert session.until <= clock.now < session.until + HOUR  # used all the time, it ended with its day
    assert registry.sessions.find(other) is None  # idle
    assert registry.sessions.of("li.na") == []
    assert registry.sessions.sweep() == 2
    third, fourth = opened(registry, 3), opened(registry, 4)
    fifth = opened(registry, 5)
    assert len(registry.sessions.of("li.na")) == 3
    assert registry.sessions.end(third, by="li.na")
    assert not registry.sessions.end(third, by="li.na")
    assert registry.sessions.end_all("li.na", by="li.na", keep=fourth) == 1
    assert registry.sessions.find(fourth) is not None
    assert registry.sessions.find(fifth) is None


def test_tokens_are_in_force_until_they_end_are_revoked_or_their_maker_is_disabled(
    registry: Registry, clock: SetClock
) -> None:
    add_users(registry)
    until = clock.now + DAY
    token = registry.tokens.make("station 3", secret(1), ["operator"], until=until, by="li.na")
    assert (token.roles, token.created_by, token.until, token.used_at) == ({"operator"}, "li.na", until, None)
    registry.tokens.touch(secret(1))
    record = registry.tokens.find(secret(1))
    assert record is not None
    assert record.used_at == clock.now
    assert registry.tokens.find(secret(2)) is None
    registry.users.disable("li.na", by="root", reason="离职")
    assert registry.tokens.find(secret(1)) is None
    registry.users.enable("li.na", by="root", reason="回来")
    clock.forward(DAY)
    assert registry.tokens.find(secret(1)) is None
    second = registry.tokens.make("station 4", secret(2), ["operator"], until=clock.now + DAY, by="root")
    assert registry.tokens.revoke(second.id, by="root", reason="丢失").revoked_at == clock.now
    clock.forward(HOUR)
    assert registry.tokens.revoke(second.id, by="root", reason="again").revoked_at == clock.now - HOUR
    assert registry.tokens.find(secret(2)) is None
    first = registry.tokens.page(limit=1)
    assert [token.label for token in (*first.items, *registry.tokens.page(first.next).items)] == [
        "station 4",
        "station 3",
    ]


def test_tokens_that_are_refused(registry: Registry, clock: SetClock) -> None:
    add_users(registry)
    for label, roles, until in (
        ("x", ["operator"], clock.now),
        ("x", [], clock.now + DAY),
        ("", ["operator"], clock.now + DAY),
    ):
        with pytest.raises(RegistryConflict, match="a token"):
            registry.tokens.make(label, secret(1), roles, until=until, by="root")
    with pytest.raises(NotOnRecord, match="there is no token 77"):
        registry.tokens.revoke(77, by="root", reason="x")
    with pytest.raises(RegistryConflict):
        registry.tokens.make("short", b"secret", ["operator"], until=clock.now + DAY, by="root")


def test_failures_are_counted_forgotten_and_stored_as_hashes(registry: Registry, clock: SetClock) -> None:
    count = registry.login_failures.failed
    assert [count("name root", forget=HOUR).count for _ in range(3)] == [1, 2, 3]
    assert count("address 10.0.0.1", forget=HOUR).count == 1
    registry.login_failures.block("name root", clock.now + timedelta(minutes=5))
    known = registry.login_failures.of(["name root", "address 10.0.0.1", "name li"])
    assert {key: record.count for key, record in known.items()} == {"name root": 3, "address 10.0.0.1": 1}
    assert known["name root"].blocked_until == clock.now + timedelta(minutes=5)
    clock.forward(2 * HOUR)
    again = count("name root", forget=HOUR)
    assert (again.count, again.blocked_until) == (1, None)
    registry.login_failures.clear("name root")
    assert list(registry.login_failures.of(["name root", "address 10.0.0.1"])) == ["address 10.0.0.1"]
    assert registry.login_failures.sweep(HOUR) == 1


def test_failures_counted_by_many_at_once_are_all_counted(registry: Registry) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: registry.login_failures.failed("name root", forget=HOUR), range(40)))
    assert registry.login_failures.of(["name root"])["name root"].count == 40
