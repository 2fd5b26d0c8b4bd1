"""Parquet: a group of rows for each page, in the types of the columns; JSON is text there."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import pyarrow as pa  # type: ignore[import-untyped]  # it has no types
from pyarrow import parquet
from pydantic_core import to_json

from infra.exporting.contents import Kind, Row

_TYPES: Mapping[Kind, pa.DataType] = {
    "text": pa.string(),
    "id": pa.string(),
    "ids": pa.list_(pa.string()),
    "time": pa.timestamp("us", tz="UTC"),
    "day": pa.date32(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "json": pa.string(),
}
_VALUES: Mapping[Kind, Callable[[Any], object]] = {
    "id": lambda each: None if each is None else str(each),
    "ids": lambda ids: [str(each) for each in ids],
    "json": lambda value: to_json(value).decode(),
}


class Bytes(Protocol):
    """What is written to."""

    def write(self, some: bytes, /) -> object:
        """Takes some bytes, all of them."""


class _Sink:
    """A file as pyarrow wants one; whose it is closes it, and only if all went well."""

    closed = False

    def __init__(self, out: Bytes) -> None:
        self._out = out

    def write(self, some: bytes) -> int:
        self._out.write(bytes(some))
        return len(some)

    def flush(self) -> None:
        """Leave that to whose file it is."""

    def close(self) -> None:
        """Leave that to whose file it is."""


@contextmanager
def writing(columns: Mapping[str, Kind], out: Bytes) -> Iterator[Callable[[Sequence[Row]], None]]:
    """Write pages of rows as Parquet.

    Args:
        columns: what the rows have.
        out: takes the bytes; nothing of it is a Parquet file before the end.

    Yields:
        Takes a page.
    """
    schema = pa.schema([(name, _TYPES[kind]) for name, kind in columns.items()])
    makes = [_VALUES.get(kind) for kind in columns.values()]

    def write(page: Sequence[Row]) -> None:
        arrays = [
            pa.array(values if make is None else map(make, values), field.type)
            for values, make, field in zip(zip(*page, strict=True), makes, schema, strict=True)
        ]
        file.write_batch(pa.record_batch(arrays, schema=schema))

    with parquet.ParquetWriter(pa.PythonFile(_Sink(out), "w"), schema, compression="zstd") as file:
        yield write
