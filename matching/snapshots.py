"""Snapshots: an index in one file, mapped into memory by every process that opens it.

The file begins with a magic word, the length and the checksum of its head, and the head (JSON): the day, the weights,
what is short, and where each array lies. Arrays follow, each at a multiple of 64 bytes, as the search reads them:
nothing is built when one is opened. A file is written beside its place and moved there, so a reader finds the old one
or the new one; a process that has the old one open keeps it.

One file of our own instead of NumPy's .npz: an archive's members lie where they fall, unaligned, and cannot be mapped.
"""

import json
import mmap
import os
import struct
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from matching.market import Market, Vocabularies, Vocabulary
from matching.search import ENVELOPE, ROW, Segment
from matching.skills import TitleWords
from matching.weights import ChanceWeights, Weights, WorthWeights

_MAGIC = b"jiujin index 1\n\0"
_HEAD = struct.Struct("<16sQI")
_ALIGNED = 64
_RECORDS = {"row": ROW, "envelope": ENVELOPE}
_SHORT = ("townships", "occupations", "certificates", "programmes", "hours", "years")
_LONG = ("titles", "employers")


class SnapshotBroken(ValueError):
    """A file that is no snapshot of this version, or not whole."""


class Texts(Sequence[str]):
    """Texts that lie joined in a file, made one at a time when asked for; more can be appended."""

    def __init__(self, joined: NDArray[np.uint8], ends: NDArray[np.int64]) -> None:
        self._joined, self._ends = joined, ends
        self._more: list[str] = []

    @classmethod
    def split(cls, texts: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """The two arrays that hold texts."""
        # A title may hold half of a pair of surrogates, which UTF-8 has no bytes for.
        parts = [text.encode("utf-8", "surrogatepass") for text in texts]
        return np.frombuffer(b"".join(parts), np.uint8), np.cumsum([len(part) for part in parts], dtype=np.int64)

    def __len__(self) -> int:
        return len(self._ends) + len(self._more)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> list[str]: ...
    def __getitem__(self, at: int | slice) -> str | list[str]:
        if isinstance(at, slice):
            places = range(*at.indices(len(self)))
            if places and min(places[0], places[-1]) >= len(self._ends):
                return [self._more[each - len(self._ends)] for each in places]
            return [self[each] for each in places]
        if at >= len(self._ends):
            return self._more[at - len(self._ends)]
        start = self._ends[at - 1] if at else 0
        return self._joined[start : self._ends[at]].tobytes().decode("utf-8", "surrogatepass")

    def append(self, text: str) -> None:
        """One more, behind the others."""
        self._more.append(text)


def save_snapshot(path: str | Path, market: Market, words: Sequence[TitleWords], today: date) -> None:
    """Write a market, the words of its titles and the day to a file, whole or not at all.

    Raises OSError where the file cannot be written; what stood there before then still stands.
    """
    if len(market.delta.rows) or len(market.main_by_id) < len(market.main.rows):
        market = market.compact()
    if len(words) > 1:
        words = [TitleWords.joined(words)]
    arrays = dict(_arrays(market, words[0]))
    head: dict[str, Any] = {
        "today": today.isoformat(),
        "weights": _weights_to_json(market.weights),
        "titles": market.titles,
        "short": {name: _plain(getattr(market.vocabularies, name).values) for name in _SHORT},
        "layout": {name: str(dtype.descr) for name, dtype in _RECORDS.items()},
        "arrays": {},
    }
    at = 0
    for name, array in arrays.items():
        at += -at % _ALIGNED
        head["arrays"][name] = {"dtype": _dtype_name(array.dtype), "length": len(array), "at": at}
        at += array.nbytes
    target = Path(path)
    encoded = json.dumps(head).encode()
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
        try:
            file.write(_HEAD.pack(_MAGIC, len(encoded), zlib.crc32(encoded)) + encoded)
            begin = file.tell() + -file.tell() % _ALIGNED
            for name, array in arrays.items():
                file.seek(begin + head["arrays"][name]["at"])
                file.write(array.view(np.uint8).data)
            file.truncate(begin + at)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(target)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def open_snapshot(path: str | Path) -> tuple[Market, TitleWords, date]:
    """What a file holds, mapped and read-only.

    Raises SnapshotBroken where the file is no snapshot, is cut short, or was written by another layout; OSError where
    it cannot be read.
    """
    with Path(path).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        begun = file.read(_HEAD.size)
        if len(begun) < _HEAD.size:
            raise SnapshotBroken("not a snapshot")
        magic, length, checksum = _HEAD.unpack(begun)
        encoded = file.read(length) if magic == _MAGIC and length <= size else b""
        if magic != _MAGIC or zlib.crc32(encoded) != checksum:
            raise SnapshotBroken("not a snapshot of this version")
        head = json.loads(encoded)
        if head["layout"] != {name: str(dtype.descr) for name, dtype in _RECORDS.items()}:
            raise SnapshotBroken("the snapshot was written with another layout of rows")
        begin = file.tell() + -file.tell() % _ALIGNED
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    arrays = {}
    for name, told in head["arrays"].items():
        dtype = _RECORDS.get(told["dtype"]) or np.dtype(told["dtype"])
        if begin + told["at"] + told["length"] * dtype.itemsize > size:
            raise SnapshotBroken("the snapshot is cut short")
        arrays[name] = np.frombuffer(mapped, dtype, told["length"], begin + told["at"])
    return (*_restored(head, arrays), date.fromisoformat(head["today"]))


def _restored(head: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> tuple[Market, TitleWords]:
    short: dict[str, Vocabulary[Any]] = {name: Vocabulary(head["short"][name]) for name in _SHORT}
    short["certificates"] = Vocabulary(frozenset(each) for each in head["short"]["certificates"])
    long: dict[str, Vocabulary[Any]] = {
        name: Vocabulary(Texts(arrays[f"{name}_joined"], arrays[f"{name}_ends"])) for name in _LONG
    }
    main = Segment(**{name: arrays[f"main_{name}"] for name in Segment._fields})
    market = Market.restored(
        main, arrays["main_by_id"], Vocabularies(**short, **long), _weights_from_json(head["weights"])
    )
    pairs = arrays["pairs"].tobytes().decode("utf-8", "surrogatepass")
    columns = {name.removeprefix("words_"): array for name, array in arrays.items() if name.startswith("words_")}
    return market, TitleWords(columns, [pairs[at : at + 2] for at in range(0, len(pairs), 2)])


def _arrays(market: Market, words: TitleWords) -> Iterator[tuple[str, NDArray[Any]]]:
    for name, array in market.main._asdict().items():
        yield f"main_{name}", array
    yield "main_by_id", market.main_by_id
    # A change under way may have brought more titles, which this market's words do not know yet.
    texts = {
        "titles": market.vocabularies.titles.values[: market.titles],
        "employers": market.vocabularies.employers.values[:],
    }
    for name in _LONG:
        joined, ends = Texts.split(texts[name])
        yield f"{name}_joined", joined
        yield f"{name}_ends", ends
    yield "pairs", np.frombuffer("".join(words.pairs).encode("utf-8", "surrogatepass"), np.uint8)
    for name, array in words.columns.items():
        yield f"words_{name}", array


def _dtype_name(dtype: np.dtype[Any]) -> str:
    return next((name for name, record in _RECORDS.items() if record == dtype), dtype.str)


def _plain(values: Sequence[Any]) -> list[Any]:
    return [sorted(value) if isinstance(value, frozenset) else value for value in values]


def _weights_to_json(weights: Weights) -> dict[str, Any]:
    told = asdict(weights)
    told["closeness"] = [[wanted, offered, close] for (wanted, offered), close in weights.closeness.items()]
    return told


def _weights_from_json(told: Mapping[str, Any]) -> Weights:
    read = dict(told)
    read["chance"], read["worth"] = ChanceWeights(**told["chance"]), WorthWeights(**told["worth"])
    read["closeness"] = {(wanted, offered): close for wanted, offered, close in told["closeness"]}
    return Weights(**read)
