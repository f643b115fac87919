"""Who works on the command line: a user who gives a password, a token, or a name that nobody proved.

With users on record every name has to be proven, and the roles allow what they allow in the service. Without users a
name is recorded as unproven.
"""

from __future__ import annotations

import getpass
import os
import sys
from typing import TYPE_CHECKING, Final

import typer

from membercard import settings
from membercard.errors import NotProven
from membercard.language import person, text
from terminal import private_files
from terminal.names import fold

if TYPE_CHECKING:
    from reader_service.principal import Permission, Principal
    from registry.store import Registry

TOKEN_VARIABLE: Final = "MEMBERCARD_TOKEN"  # noqa: S105 - the name of a variable
_ORIGIN: Final = "command line"


def machine() -> str:
    """The actor of work on the machine itself, which asks for no person."""
    from registry.db.actors import machine_actor  # imports the database libraries

    return machine_actor(settings.load().operator)


def actor(
    registry: Registry, name: str | None, permission: Permission | None = None, *, in_person: bool = False
) -> str:
    """The actor of a command. ``name``: who does it, the settings' operator if not given. ``permission``: what a proven
    actor's roles have to allow. ``in_person``: a token will not do.

    Raises NotProven, Forbidden, WrongPassword, TooMany, UserDisabled, MustChangePassword, and typer.BadParameter for an
    empty name.
    """
    _refuse_empty(name)
    if not registry.users.any():
        return unproven(name)
    principal = _proven(registry, name, in_person)
    if permission is not None:
        principal.need(permission)
    return principal.name


def actor_or_machine(registry: Registry, name: str | None, permission: Permission | None = None) -> str:
    """The actor of work that may run unattended: as ``actor`` where a name or a token is given, else the machine."""
    return machine() if name is None and not _token() else actor(registry, name, permission)


def unproven(name: str | None) -> str:
    """A name that nobody proves, the settings' operator if none is given.

    Raises typer.BadParameter for an empty one.
    """
    from registry.db.actors import unproven_actor

    _refuse_empty(name)
    return unproven_actor(settings.load().operator if name is None else name)


def _refuse_empty(name: str | None) -> None:
    """Raises typer.BadParameter for a name of blanks or invisible characters, which would stand for nobody."""
    if name is not None and not fold(name):
        raise typer.BadParameter("the name is empty: give the name of the person who does this")


def note_unproven(recorded: str) -> None:
    """Say on standard error that a name is recorded as unproven."""
    from registry.db.actors import UNPROVEN

    if recorded.endswith(UNPROVEN):
        note = text(
            "note: there are no users on record, so nobody proved this name; it is recorded as {name}. "
            "Add users with: membercard user add",
            name=person(recorded),
        )
        typer.echo(note, err=True)


def _proven(registry: Registry, name: str | None, in_person: bool) -> Principal:
    # Slow to import, and not needed without users.
    from reader_service.access.accounts import AccountService
    from reader_service.access.settings import AccessSettings

    accounts = AccountService(registry, AccessSettings())
    secret = _token()
    if secret and not in_person:
        principal = accounts.prove_token(secret)
        if name is not None and name not in (principal.name, principal.token):
            raise NotProven(f"the token is that of {principal.name}, not of {name}; leave the name or the token out")
        return principal
    user = name or settings.load().operator
    if name is None and registry.users.password_hash(user) is None:
        if not sys.stdin.isatty():
            raise NotProven("say who does this: there are users on record, and each proves who they are by a password")
        user = input(text("User: "))
    return accounts.prove(user, _password(user), _ORIGIN)


def _password(user: str) -> str:
    """The user's password, typed unseen or as a line of standard input; it never stands on the command line."""
    if sys.stdin.isatty():
        return getpass.getpass(text("Password of {user}: ", user=user))
    line = sys.stdin.readline()
    if not line:
        raise NotProven(
            f"there are users on record, so {user} has to give a password: run this at a terminal, or give it as a "
            "line of standard input"
        )
    return line.rstrip("\r\n")


def _token() -> str:
    """The token in MEMBERCARD_TOKEN or in the token file; empty where there is none. Raises NotProven."""
    if TOKEN_VARIABLE in os.environ:
        return os.environ[TOKEN_VARIABLE].strip()
    path = settings.load().token_file
    if path is None:
        return ""
    private_files.tighten(path, "the token file", required=True)
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError as e:
        raise NotProven(f"cannot read the token file {path}: {e.strerror}") from e
