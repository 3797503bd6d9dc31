"""From sentences to the fixed-length ids a text graph takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import tokenizers
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """ids, mask: int64 [N, L], mask 1 on real tokens.  cut: bool [N], true where a sentence was longer than L."""

    ids: NDArray[np.int64]
    mask: NDArray[np.int64]
    cut: NDArray[np.bool_]


class Tokenizer:
    """A tokenizer file with its padding and truncation. Padding takes the file's own pad token, or id 0."""

    def __init__(self, tokenizer: tokenizers.Tokenizer, *, length: int) -> None:
        self.length = length
        self._tokenizer = tokenizer
        own = tokenizer.padding or {}
        tokenizer.enable_truncation(length)
        tokenizer.enable_padding(length=length, pad_id=own.get("pad_id", 0), pad_token=own.get("pad_token", "[PAD]"))

    @classmethod
    def from_file(cls, path: str | Path, *, length: int) -> Tokenizer:
        """Open a `tokenizers` JSON file. Raises BundleError when it is missing, unreadable or `length` too short."""
        import tokenizers

        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BundleError(path, f"the tokenizer cannot be read ({error})", "export the bundle again") from error
        try:
            tokenizer = tokenizers.Tokenizer.from_str(text)
        except Exception as error:  # the library raises plain Exception for a file it does not understand
            reason = str(error).partition("\n")[0]
            raise BundleError(path, f"is no tokenizer ({reason})", "export the bundle again") from error
        special = tokenizer.num_special_tokens_to_add(is_pair=False)
        if length <= special:
            fact = f"a text of {length} tokens has no room for words beside its {special} special tokens"
            raise BundleError(path, fact, "export the bundle again with a longer text")
        return cls(tokenizer, length=length)

    def __call__(self, sentences: Sequence[str]) -> Tokens:
        """Tokenise N sentences; each row depends on its own sentence alone."""
        encoded = self._tokenizer.encode_batch(list(sentences))
        shape = (len(encoded), self.length)
        return Tokens(
            ids=np.array([row.ids for row in encoded], np.int64).reshape(shape),
            mask=np.array([row.attention_mask for row in encoded], np.int64).reshape(shape),
            cut=np.array([bool(row.overflowing) for row in encoded], bool),
        )
