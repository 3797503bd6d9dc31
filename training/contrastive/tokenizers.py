"""One `tokenizers` file per text tower, beside a checkpoint as `tokenizer.json`. The engine reads no other form."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from .weights import BERT_NAME, CLIP_VOCABULARY, MINILM_TOKENIZER, loading

if TYPE_CHECKING:
    from .config import ContrastiveConfig

_CLIP_MERGES = 48_894  # of the published file, the rest of which CLIP does not use
_CLIP_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+"


def build_tokenizer(config: ContrastiveConfig) -> Tokenizer:
    """Return the tokenizer of the configured text tower, padding and cutting to `config.text.length`.

    Raises InputError when its vocabulary cannot be had.
    """
    tokenizer = _BUILDERS[config.model.backbone](config)
    own = tokenizer.padding or {"pad_id": 0, "pad_token": tokenizer.id_to_token(0)}
    tokenizer.enable_truncation(config.text.length)
    tokenizer.enable_padding(length=config.text.length, pad_id=own["pad_id"], pad_token=own["pad_token"])
    return tokenizer


def _clip(config: ContrastiveConfig) -> Tokenizer:
    """CLIP's byte-pair encoding, from the vocabulary file that open_clip carries.

    Equal to open_clip's own tokenizer but for what that one mends first: of ftfy's repairs (broken encodings, wide
    letters, ligatures, control characters) only curly quotes are set straight here, and HTML entities stay as written.
    """
    lines = gzip.decompress(CLIP_VOCABULARY.path().read_bytes()).decode().splitlines()
    merges = [tuple(line.split()) for line in lines[1 : 1 + _CLIP_MERGES]]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    start, end = "<start_of_text>", "<end_of_text>"
    words = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(merge) for merge in merges), start, end]
    ids = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.BPE(ids, merges, end_of_word_suffix="</w>"))
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in (start, end)])
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFC(),
            normalizers.Replace(Regex("[\u02bc\u2018-\u201b]"), "'"),
            normalizers.Replace(Regex("[\u201c-\u201f]"), '"'),
            normalizers.Lowercase(),
        ]
    )
    split = pre_tokenizers.Split(Regex(_CLIP_WORDS), "removed", invert=True)
    bytewise = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, bytewise])
    tokenizer.post_processor = _framed((start, ids[start]), (end, ids[end]))
    return tokenizer


def _bert(config: ContrastiveConfig) -> Tokenizer:
    """BERT's uncased WordPiece, through transformers' loader."""
    from transformers import BertTokenizer

    with loading(f"tokenizer {BERT_NAME}", "a folder with the files of that model"):
        tokenizer = BertTokenizer.from_pretrained(config.model.weights or BERT_NAME)
        if set(tokenizer.get_vocab()) <= set(tokenizer.all_special_tokens):  # what it makes of a folder without one
            message = "it holds no vocabulary"
            raise FileNotFoundError(message)
        return tokenizer.backend_tokenizer


def _minilm(config: ContrastiveConfig) -> Tokenizer:
    return Tokenizer.from_file(str(MINILM_TOKENIZER.path()))


def _bytes(config: ContrastiveConfig) -> Tokenizer:
    """Every byte a token. The three special tokens are no words of the text, however it is written."""
    specials = ("<pad>", "<start>", "<end>")
    ids = {word: number for number, word in enumerate([*specials, *sorted(pre_tokenizers.ByteLevel.alphabet())])}
    tokenizer = Tokenizer(models.BPE(ids, []))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.post_processor = _framed(("<start>", ids["<start>"]), ("<end>", ids["<end>"]))
    return tokenizer


def _framed(start: tuple[str, int], end: tuple[str, int]) -> processors.TemplateProcessing:
    return processors.TemplateProcessing(single=f"{start[0]} $A {end[0]}", special_tokens=[start, end])


_BUILDERS = {"clip": _clip, "baseline": _bert, "compact": _minilm, "tiny": _bytes}
