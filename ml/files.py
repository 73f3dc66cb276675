"""Opens data files, gzipped or plain, without trusting what a .gz claims to hold."""

import gzip
import io
import zlib
from pathlib import Path

from ml.errors import DataError

BOMB_RATIO = 100  # text compresses some 3 to 20 times; deflate at most 1,032 times
BOMB_BYTES = 64 * 2**20  # below this size no ratio is suspicious


def open_binary(file: Path) -> io.BufferedReader:
    """A buffered byte stream of the file's content.

    Raises DataError at once for a missing or empty file, and while reading for a broken gzip
    stream or one that unpacks to BOMB_RATIO times its size.
    """
    try:
        size = file.stat().st_size
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", file=file.name) from None
    if size == 0:
        raise DataError("is empty (0 bytes)", file=file.name)
    if file.suffix.lower() != ".gz":
        return file.open("rb")
    return io.BufferedReader(_Gunzip(file, size), buffer_size=2**18)


class _Gunzip(io.RawIOBase):
    def __init__(self, file: Path, packed: int):
        self._file, self._packed, self._unpacked = file, packed, 0
        self._stream = gzip.open(file, "rb")  # noqa: SIM115 (closed by close)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        try:
            chunk = self._stream.read(len(buffer))
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"is not a whole gzip file: {error}", file=self._file.name) from None
        self._unpacked += len(chunk)
        if self._unpacked > BOMB_BYTES and self._unpacked > BOMB_RATIO * self._packed:
            raise DataError(
                f"unpacks to over {BOMB_RATIO} times its {self._packed:,} bytes; refused as a decompression bomb",
                file=self._file.name,
            )
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        self._stream.close()
        super().close()
