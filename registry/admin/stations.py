"""The names that people give the readers of a station: Lane 1, Counter."""

from __future__ import annotations

from typing import Final

from sqlalchemy import delete, insert, select

from registry.db.context import RegistryContext
from registry.db.tables import reader_names
from registry.errors import NotOnRecord, RegistryConflict

_LONGEST: Final = 40


class Stations:
    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def names(self, station: str) -> dict[str, str]:
        """The given names of a station's readers, by the reader's id."""
        chosen = select(reader_names.c.reader, reader_names.c.name).where(reader_names.c.station == station)
        with self._context.read() as conn:
            return {reader: name for reader, name in conn.execute(chosen)}

    def name(self, station: str, reader: str, name: str, *, by: str) -> None:
        """1 to 40 printable characters, once in a station. Raises RegistryConflict."""
        wanted = name.strip()
        if not wanted or len(wanted) > _LONGEST or not wanted.isprintable():
            sentence = f"a reader's name is 1 to {_LONGEST} printable characters"
            raise RegistryConflict(sentence, reason="reader-name", most=_LONGEST)
        mine = (reader_names.c.station == station, reader_names.c.reader == reader)
        with self._context.write() as conn:
            twin = select(reader_names.c.reader).where(
                reader_names.c.station == station, reader_names.c.name == wanted, reader_names.c.reader != reader
            )
            if conn.execute(twin).scalar_one_or_none() is not None:
                sentence = f"another reader of this station is called {wanted}"
                raise RegistryConflict(sentence, reason="reader-name-taken", name=wanted)
            conn.execute(delete(reader_names).where(*mine))
            conn.execute(insert(reader_names).values(station=station, reader=reader, name=wanted))
            self._context.audit(conn, by, "reader.name", f"reader:{reader}", name=wanted, station=station)

    def forget(self, station: str, reader: str, *, by: str) -> None:
        """Take the name away. Raises NotOnRecord where there is none."""
        mine = (reader_names.c.station == station, reader_names.c.reader == reader)
        with self._context.write() as conn:
            if not conn.execute(delete(reader_names).where(*mine)).rowcount:
                raise NotOnRecord("this reader has no given name", reason="reader-name")
            self._context.audit(conn, by, "reader.name", f"reader:{reader}", name=None, station=station)
