"""The tokenizer of each language module, beside a checkpoint as `tokenizer.json`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..backbones import tokenizers
from ..backbones.weights import ELECTRA_NAME

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from .config import SBNetConfig


def build_tokenizer(config: SBNetConfig) -> Tokenizer:
    """Return the tokenizer of the configured language module, padding and cutting to `config.text.length`.

    Raises InputError when its vocabulary cannot be had.
    """
    builders = {
        "electra": lambda: tokenizers.wordpiece(ELECTRA_NAME, weights=config.model.weights),
        "minilm": tokenizers.minilm,
        "tiny": tokenizers.bytewise,
    }
    return tokenizers.fitted(builders[config.model.language](), config.text.length)
