"""Many rows at once, by the quickest way each database has; part of the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import psycopg
from sqlalchemy import Connection, Table
from sqlalchemy.exc import DBAPIError


def insert_rows(connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Write rows past SQLAlchemy's handling of every single value, which takes longer than either database.

    PostgreSQL gets them by COPY, SQLite by one statement that is prepared once.

    Args:
        connection: in a transaction.
        table: where to.
        columns: names, in the order of the values.
        rows: values as a driver takes them: of no type that the table's columns would have to translate.

    Raises:
        DBAPIError: the database refuses them or does not answer.
    """
    if not rows:
        return
    names = ", ".join(f'"{column}"' for column in columns)
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(columns))
        connection.exec_driver_sql(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", list(rows))  # noqa: S608
    else:
        _copy(connection, f"COPY {table.name} ({names}) FROM STDIN", rows)


def _copy(connection: Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
    try:
        with driver.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            for row in rows:
                copy.write_row(row)
    except psycopg.Error as error:
        # Said as SQLAlchemy says what its own statements run into, for whoever handles that.
        raise DBAPIError.instance(statement, None, error, psycopg.Error, dialect=connection.dialect) from error
