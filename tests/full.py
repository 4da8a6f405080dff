"""Databases without room: SQLite may not grow by a page, PostgreSQL says of every prediction that its disk is full."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, event

from core.database import Database

#: As PostgreSQL says it where the disk of a table is full.
FULL = """
CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'could not extend file "base/5/16384": No space left on device' USING ERRCODE = 'disk_full';
END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON predictions FOR EACH ROW EXECUTE FUNCTION no_room();
"""
FULL_NO_MORE = "DROP TRIGGER full_disk ON predictions; DROP FUNCTION no_room()"
#: SQLite's own bound of a file.
_ENDLESS = 2**30


@contextmanager
def no_room(database: Database) -> Iterator[None]:
    """Let the database take no row that needs room as long as the block lasts; what is there may be changed."""
    if not database.sqlite:
        with database.begin() as connection:
            connection.exec_driver_sql(FULL)
        yield
        with database.begin() as connection:
            connection.exec_driver_sql(FULL_NO_MORE)
        return
    with database.begin() as connection:
        # What migrations gave back is room, too.
        connection.exec_driver_sql("CREATE TABLE filler AS SELECT zeroblob(1000000) AS filler")
        most = connection.exec_driver_sql("PRAGMA page_count").scalar_one()

    def bound(connection: Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {most}")

    event.listen(database.engine, "begin", bound)
    yield
    event.remove(database.engine, "begin", bound)
    with database.begin() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {_ENDLESS}")
        connection.exec_driver_sql("DROP TABLE filler")
