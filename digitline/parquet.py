"""Results as a Parquet file."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from core.ledger.results import Result
from digitline.records import Record, encodable_record

#: Rows of a row group; what is held in memory at a time.
_ROW_GROUP = 50_000
_SCHEMA = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("label", pa.int8()),
        pa.field("confidence", pa.float64()),
        pa.field("verdict", pa.string()),
        pa.field("true_label", pa.int8()),
        pa.field("reason", pa.string()),
        pa.field("model", pa.string()),
        pa.field("digits", pa.list_(pa.struct([("label", pa.int8()), ("confidence", pa.float64())]))),
        pa.field("review", pa.string()),
        # A column has one type: the label of a string stands here, and that of a single digit in `label`.
        pa.field("string", pa.string()),
    ]
)


def write_parquet(results: Iterable[Result], path: Path) -> None:
    """Write a Parquet file; bytes of a name that are no UTF-8 are written as `\\udcff`.

    The label of a string stands in a column of its own, `string`.
    """
    records = map(_record, results)
    with pq.ParquetWriter(path, _SCHEMA) as writer:
        while chunk := list(islice(records, _ROW_GROUP)):
            writer.write_table(pa.Table.from_pylist(chunk, _SCHEMA))


def _record(result: Result) -> Record:
    record: Record = {**encodable_record(result), "string": None}
    return record if isinstance(result.label, int) else {**record, "label": None, "string": result.label}
