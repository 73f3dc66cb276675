"""The one way an email becomes tokens: `department [SEP] subject and body`, at most 512.

Training, evaluation and serving all come through here, so that a model sees in production
what it was trained on: quoted history and signatures are left out.
"""

from pathlib import Path

from tokenizers import Tokenizer

from ml.data import MAX_CHARACTERS
from ml.encoder import encoder_tokenizer
from ml.quoting import split_quoted

MAX_TOKENS = 512


def email_text(subject: str, body: str) -> str:
    """Subject and visible body as one text."""
    return f"{subject.strip()}\n{split_quoted(body[:MAX_CHARACTERS]).visible.strip()}".strip()


def encode_email(tokenizer: Tokenizer, department: str, subject: str, body: str) -> list[int]:
    """Token ids, special tokens included, truncated at the end of the text."""
    return tokenizer.encode(department.replace("_", " "), email_text(subject, body)).ids


def load_tokenizer(encoder: str | Path) -> Tokenizer:
    """The fast tokenizer of an encoder (by any name of it) or artifact folder, set to our length and no padding."""
    tokenizer = encoder_tokenizer(str(encoder))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS, strategy="only_second")
    return tokenizer
