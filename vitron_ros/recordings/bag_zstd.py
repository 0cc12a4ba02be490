"""Recordings that rosbag2 compressed with zstd: by file, and by message, which leaves no mark but the bytes."""

import logging
import shutil
import sys
from pathlib import Path

from vitron_ros.errors import SourceError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ENDINGS = (".zstd", ".zst")

_MAGIC = b"\x28\xb5\x2f\xfd"
_MAX_BYTES = 1 << 30  # a damaged message must not claim all memory
_log = logging.getLogger(__name__)


def decompress_message(data: bytes) -> bytes:
    """A message in CDR, which begins with a 0, so that what begins as zstd does is compressed. At most 1 GiB of it.

    Raises:
        ZstdError: the bytes are damaged.
    """
    return zstd.ZstdDecompressor().decompress(data, _MAX_BYTES) if data[:4] == _MAGIC else data


def decompress_file(path: Path, folder: Path) -> Path:
    """A copy in `folder` without compression; of a damaged file what comes before the damage.

    Raises:
        SourceError: it cannot be read, or there is no room for the copy.
    """
    copy = folder / path.stem
    try:
        with path.open("rb") as compressed, copy.open("wb") as target:
            shutil.copyfileobj(zstd.ZstdFile(compressed), target)
    except (zstd.ZstdError, EOFError) as error:
        _log.warning("%s is damaged: %s; what comes before is read", path, error)
    except OSError as error:
        raise SourceError(
            f"{path} cannot be decompressed into {folder.parent}: {error.strerror}; set TMPDIR to a place with room"
        ) from error
    return copy
