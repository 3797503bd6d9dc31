"""One `tokenizers` object per text network. It is saved beside a checkpoint, and the engine reads no other form."""

from __future__ import annotations

import gzip

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from .weights import CLIP_VOCABULARY, MINILM_TOKENIZER, loading

_CLIP_MERGES = 48_894  # of the published file, the rest of which CLIP does not use
_CLIP_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+"


def fitted(tokenizer: Tokenizer, length: int) -> Tokenizer:
    """Return it, padding and cutting to `length` tokens, the special ones included."""
    own = tokenizer.padding or {"pad_id": 0, "pad_token": tokenizer.id_to_token(0)}
    tokenizer.enable_truncation(length)
    tokenizer.enable_padding(length=length, pad_id=own["pad_id"], pad_token=own["pad_token"])
    return tokenizer


def clip() -> Tokenizer:
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
    by_byte = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, by_byte])
    tokenizer.post_processor = _framed((start, ids[start]), (end, ids[end]))
    return tokenizer


def wordpiece(name: str, *, weights: str = "") -> Tokenizer:
    """The uncased WordPiece of BERT or ELECTRA, through transformers' loader.

    name: of the model.  weights: a folder with its files, in place of the loader's download.
    Raises InputError when the vocabulary cannot be had.
    """
    from transformers import BertTokenizer

    with loading(f"tokenizer {name}", "a folder with the files of that model"):
        tokenizer = BertTokenizer.from_pretrained(weights or name)
        if set(tokenizer.get_vocab()) <= set(tokenizer.all_special_tokens):  # what it makes of a folder without one
            message = "it holds no vocabulary"
            raise FileNotFoundError(message)
        return tokenizer.backend_tokenizer


def minilm() -> Tokenizer:
    """MiniLM's uncased WordPiece, from its package."""
    return Tokenizer.from_file(str(MINILM_TOKENIZER.path()))


def bytewise() -> Tokenizer:
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
