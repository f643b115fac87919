"""The user service: what is done to users is audited with its reason."""

from __future__ import annotations

from pathlib import Path

from reader_service.principal import Principal, Role
from tests.support.service.accounts import accounts_app
from tests.support.service.registry_rig import last_audit_entry

ADMINISTRATOR = Principal("root", frozenset({Role.ADMINISTRATOR}))


def test_a_password_that_was_reset_is_told_with_its_reason(tmp_path: Path) -> None:
    house = accounts_app(tmp_path)
    house.person("li.na", Role.REGISTRAR)
    made = house.service.users.reset(ADMINISTRATOR, "li.na", "forgotten, called from 13903110001")
    assert made.user.must_change
    entry = ("root", "user.password", "user:li.na", "forgotten, called from ****0001")
    assert last_audit_entry(house.registry) == entry
