"""Names that users give to the readers of a station: Lane 1, Counter."""

from __future__ import annotations

from typing import Final

from sqlalchemy import delete, insert, select

from registry.db.context import RegistryContext
from registry.db.tables import reader_names
from registry.errors import NotOnRecord, RegistryConflict
from terminal.names import all_visible

_LONGEST: Final = 40


class Stations:
    """Repository of reader names."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def names(self, station: str) -> dict[str, str]:
        """The names of a station's readers, by reader id."""
        chosen = select(reader_names.c.reader, reader_names.c.name).where(reader_names.c.station == station)
        with self._context.read() as conn:
            return {reader: name for reader, name in conn.execute(chosen)}

    def name(self, station: str, reader: str, name: str, *, by: str) -> None:
        """Name a reader: 1 to 40 printable characters, unique in the station. Raises RegistryConflict."""
        new_name = name.strip()
        if not new_name or len(new_name) > _LONGEST or not all_visible(new_name):
            sentence = f"a reader's name is 1 to {_LONGEST} printable characters"
            raise RegistryConflict(sentence, reason="reader-name", most=_LONGEST)
        reader_row = (reader_names.c.station == station, reader_names.c.reader == reader)
        with self._context.write() as conn:
            same_name = select(reader_names.c.reader).where(
                reader_names.c.station == station, reader_names.c.name == new_name, reader_names.c.reader != reader
            )
            if conn.execute(same_name).scalar_one_or_none() is not None:
                sentence = f"another reader of this station is called {new_name}"
                raise RegistryConflict(sentence, reason="reader-name-taken", name=new_name)
            conn.execute(delete(reader_names).where(*reader_row))
            conn.execute(insert(reader_names).values(station=station, reader=reader, name=new_name))
            self._context.audit(conn, by, "reader.name", f"reader:{reader}", name=new_name, station=station)

    def forget(self, station: str, reader: str, *, by: str) -> None:
        """Delete the name of a reader. Raises NotOnRecord where it has none."""
        reader_row = (reader_names.c.station == station, reader_names.c.reader == reader)
        with self._context.write() as conn:
            if not conn.execute(delete(reader_names).where(*reader_row)).rowcount:
                raise NotOnRecord("this reader has no given name", reason="reader-name")
            self._context.audit(conn, by, "reader.name", f"reader:{reader}", name=None, station=station)
