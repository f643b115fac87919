"""The first start: one administrator, one password, once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from reader_service.access.first_start import first_administrator
from tests.support.service.accounts import accounts_app


def test_the_first_administrator_gets_a_password_that_must_be_changed(tmp_path: Path) -> None:
    rig = accounts_app(tmp_path)
    password = first_administrator(rig.registry, rig.accounts)
    assert password is not None
    signed = rig.accounts.sign_in("admin", password.reveal().decode(), "")
    assert signed.caller.must_change
    assert signed.user.roles == {"administrator"}
    assert password.reveal().decode() not in f"{password!r} {password}"


def test_there_is_one_first_administrator_however_many_services_start_at_once(tmp_path: Path) -> None:
    rig = accounts_app(tmp_path)
    with ThreadPoolExecutor(8) as threads:
        passwords = list(threads.map(lambda _: first_administrator(rig.registry, rig.accounts), range(8)))
    assert len([password for password in passwords if password is not None]) == 1
    assert [user.name for user in rig.registry.users.page(None, 10).items] == ["admin"]


def test_where_somebody_works_already_nobody_is_added(tmp_path: Path) -> None:
    rig = accounts_app(tmp_path)
    rig.person("Wang Fang")
    assert first_administrator(rig.registry, rig.accounts) is None
    assert len(rig.registry.users.page(None, 10).items) == 1
