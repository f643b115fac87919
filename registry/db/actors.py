"""Actors: who did something, as the audit, batches and journals name them, and the person behind each.

An actor is a user (``li.na``), a token (``till 3 (token 7)``), which counts as the user who created it, a name that
nobody proved (``Li Na (unproven)``), or whoever worked on the machine itself (``root (command line)``).
"""

from __future__ import annotations

import re
from typing import Final

from sqlalchemy import Connection, select

from registry.db.tables import tokens, users
from registry.errors import OWN_WORK, RegistryConflict
from terminal.names import fold, same_name

UNPROVEN: Final = " (unproven)"
_ON_THE_MACHINE: Final = " (command line)"
_TOKEN: Final = re.compile(r".* \(token ([0-9]{1,18})\)", re.DOTALL)


def token_actor(label: str, number: int) -> str:
    """A token as an actor; user names have no brackets."""
    return f"{label} (token {number})"


def unproven_actor(name: str) -> str:
    """A name that was given without password or token."""
    return f"{name.strip()}{UNPROVEN}" if name.strip() else ""


def machine_actor(name: str) -> str:
    """Whoever works on the machine itself, under the name of its user."""
    return f"{name}{_ON_THE_MACHINE}"


def person_of(conn: Connection, actor: str) -> str:
    """The name of the person behind an actor: for a token, of the user who created it."""
    bare = actor.strip().removesuffix(_ON_THE_MACHINE).removesuffix(UNPROVEN)
    if (token := _TOKEN.fullmatch(bare)) is not None:
        creator = select(users.c.name).join(tokens, tokens.c.created_by == users.c.id)
        bare = conn.execute(creator.where(tokens.c.id == int(token[1]))).scalar_one_or_none() or bare
    return bare


def person_key(conn: Connection, actor: str) -> str:
    """The same for every actor behind whom one person is, however their names are written."""
    return fold(person_of(conn, actor))


def same_person(conn: Connection, one: str, other: str) -> bool:
    """Whether one person is behind both actors, however their names are written. Every rule that needs a second person
    asks here."""
    return same_name(person_of(conn, one), person_of(conn, other))


def refuse_same_person(conn: Connection, first: str, second: str, sentence: str, **params: str | int) -> None:
    """Raises RegistryConflict (OWN_WORK) where one person is behind both actors, or one of them is nobody."""
    people = [person_of(conn, actor) for actor in (first, second)]
    if not all(map(fold, people)) or same_name(*people):
        raise RegistryConflict(sentence, reason=OWN_WORK, **params)


def refuse_own_name(conn: Connection, actor: str, written: str, sentence: str, **params: str | int) -> None:
    """Raises RegistryConflict (OWN_WORK) where a name that somebody wrote down is that of the person behind the actor:
    the name of the user, or the one that is shown of them."""
    refuse_same_person(conn, actor, written, sentence, **params)
    shown = conn.execute(select(users.c.display).where(users.c.name == person_of(conn, actor))).scalar_one_or_none()
    if shown is not None and same_name(shown, written):
        raise RegistryConflict(sentence, reason=OWN_WORK, **params)
