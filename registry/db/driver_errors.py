"""Errors of the database drivers as sentences that name the database and the remedy.

psycopg is imported with the first error of a PostgreSQL database: a registry in SQLite does without.
"""

from __future__ import annotations

import re
import sqlite3

from registry.errors import RegistryConflict, RegistryError, RegistryUnavailable, RegistryUnfit

_Rules = tuple[tuple[str, type[RegistryError], str], ...]
_SQLITE: _Rules = (
    ("SQLITE_BUSY", RegistryUnavailable, "is locked by another program; try again once that is done"),
    ("SQLITE_LOCKED", RegistryUnavailable, "is locked by another program; try again once that is done"),
    ("SQLITE_FULL", RegistryUnavailable, "cannot grow: the disk is full; make room and run the same command again"),
    ("SQLITE_READONLY", RegistryUnavailable, "may not be written: give this user write access to file and directory"),
    ("SQLITE_CANTOPEN", RegistryUnavailable, "cannot be opened: see that its directory exists and may be written"),
    ("SQLITE_PERM", RegistryUnavailable, "cannot be opened: see that its directory exists and may be written"),
    ("SQLITE_IOERR", RegistryUnavailable, "cannot be read or written: the disk failed or is full"),
    ("SQLITE_NOTADB", RegistryUnfit, "is not a SQLite database; name another file"),
    ("SQLITE_CORRUPT", RegistryUnfit, "is damaged; restore it from a backup"),
)
_POSTGRES: _Rules = (
    ("53100", RegistryUnavailable, "cannot grow: the server's disk is full; make room and run the same command again"),
    ("25006", RegistryUnavailable, "may not be written: the server is read-only"),
    ("42501", RegistryUnavailable, "may not be used by this role: grant it the rights on the database's schema"),
    ("28", RegistryUnavailable, "refused this user: check name and password in the database URL"),
    ("3D000", RegistryUnavailable, "does not exist on that server; create it first"),
    ("55P03", RegistryUnavailable, "is locked by another program; try again once that is done"),
    ("40", RegistryUnavailable, "was busy with a rival transaction; try again"),
)
_GONE = ("08", "57")  # SQLSTATE classes: connection exception, operator intervention
# A server that refuses a connection does so before there is one: libpq gives the server's text then, and no SQLSTATE.
_REFUSED_CONNECTION = (
    ("3D000", re.compile(r'database "[^"]*" does not exist')),
    ("28", re.compile(r'authentication failed|no password supplied|pg_hba\.conf|role "[^"]*" does not exist')),
)
_RETRYABLE = ("SQLITE_BUSY", "SQLITE_LOCKED", "55P03", "40")


def as_registry_error(cause: BaseException | None, name: str) -> RegistryError:
    """A driver's error as a RegistryError: a sentence that names the database and the remedy."""
    return _of_sqlite(cause, name) if isinstance(cause, sqlite3.Error) else _of_postgres(cause, name)


def is_gone(error: Exception) -> bool:
    """Whether a PostgreSQL server went away, and with it every connection to it."""
    if isinstance(error, sqlite3.Error):
        return False
    import psycopg

    return isinstance(error, psycopg.OperationalError) and (error.sqlstate or "08")[:2] in _GONE


def not_stored() -> RegistryConflict:
    """The refusal of a value that the database cannot hold."""
    sentence = "a text or number in the request cannot be stored or searched for"
    return RegistryConflict(sentence, reason="not-stored")


def _of_sqlite(cause: sqlite3.Error, name: str) -> RegistryError:
    if isinstance(cause, sqlite3.IntegrityError):
        return _contradiction(name, str(cause))  # SQLite names columns or the constraint, no values
    code = getattr(cause, "sqlite_errorname", "")
    return _by_rule(code, _SQLITE, name) or _unknown(cause, code, name)


def _of_postgres(cause: BaseException | None, name: str) -> RegistryError:
    import psycopg

    if isinstance(cause, psycopg.IntegrityError):
        # Never the values, which PostgreSQL puts into the error's detail.
        return _contradiction(name, cause.diag.constraint_name or cause.sqlstate or "unknown")
    if isinstance(cause, psycopg.DataError):
        return not_stored()
    code = (cause.sqlstate or _refused(str(cause))) if isinstance(cause, psycopg.Error) else ""
    ruled = _by_rule(code, _POSTGRES, name)
    if ruled is None and isinstance(cause, (psycopg.OperationalError, psycopg.InterfaceError)):
        sentence = f"{name} does not answer: see that the server runs and can be reached"
        return RegistryUnavailable(sentence, retryable=True)
    return ruled or _unknown(cause, code, name)


def _by_rule(code: str, rules: _Rules, name: str) -> RegistryError | None:
    for start, kind, sentence in rules:
        if code.startswith(start):
            if kind is RegistryUnavailable:
                return RegistryUnavailable(f"{name} {sentence}", retryable=start in _RETRYABLE)
            return kind(f"{name} {sentence}")
    return None


def _contradiction(name: str, rule: str) -> RegistryConflict:
    sentence = f"{name} refused a record that contradicts another: {rule}"
    return RegistryConflict(sentence, reason="contradiction", rule=rule)


def _unknown(cause: BaseException | None, code: str, name: str) -> RegistryError:
    return RegistryError(f"{name} failed with {type(cause).__name__} {code}".rstrip())


def _refused(text: str) -> str:
    """The SQLSTATE of a refused connection; empty where there was no server, or its text is in another language."""
    return next((state for state, pattern in _REFUSED_CONNECTION if pattern.search(text)), "")
