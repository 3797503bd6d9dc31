"""The tokenizers: CLIP's equals open_clip's, and every one fits the engine's Tokenizer."""

from __future__ import annotations

import json

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from nlvr.engine.errors import InputError
from nlvr.engine.tokenizer import Tokenizer
from nlvr.training.backbones.tiny import TINY_VOCABULARY
from nlvr.training.backbones.tokenizers import bytewise, clip, fitted, minilm, wordpiece
from nlvr.training.backbones.weights import BERT_NAME
from nlvr.training.torchvision_schemas import declare_missing_operators

SENTENCES = [
    "A dark red SUV drives straight through the intersection.",
    "A silver 4-door pick-up truck is waiting behind a white van, then turns right.",
    "It's a CAR!!  weird\t\tspaces\n, isn't it?",
    "\u201ccurly\u201d \u2018quotes\u2019 don\u2019t matter",
    "3,000 vehicles at 12km/h & 50%",
    "caf\u00e9 na\u00efve e\u0301 \u00c5\u00c4\u00d6",
    "\u6f22\u5b57 \u0440\u0443\u0441\u0441\u043a\u0438\u0439 \U0001f697\U0001f699",
    "!!!???... a_b-c d/e #1",
    "\u00a0no-break and\u3000ideographic spaces",
    "ALL'VE they'LL I'd we're I'm",
    "x" * 300,
    " ".join(["word"] * 100),
]


@pytest.fixture(scope="module")
def clips():
    return Tokenizer(fitted(clip(), 77), length=77)


@pytest.fixture(scope="module")
def simple():
    """open_clip's own tokenizer."""
    declare_missing_operators()
    from open_clip.tokenizer import SimpleTokenizer

    return SimpleTokenizer()


@pytest.mark.parametrize("sentence", SENTENCES)
def test_clips_ids_equal_open_clips(clips, simple, sentence):
    assert clips([sentence]).ids.tolist() == simple([sentence]).tolist()


@settings(max_examples=200, deadline=None)
@given(st.text("abcdefgh ABZ'\".,-_!/0123456789\u00e9\u00f1", min_size=1, max_size=90))
def test_clips_ids_equal_open_clips_on_any_plain_text(clips, simple, sentence):
    assert clips([sentence]).ids.tolist() == simple([sentence]).tolist()


def test_clips_mask_ends_at_the_end_of_text(clips):
    tokens = clips(SENTENCES)
    ends = tokens.mask.sum(axis=1) - 1
    assert set(tokens.ids[range(len(SENTENCES)), ends]) == {49407}
    assert tokens.cut.tolist() == [False] * (len(SENTENCES) - 1) + [True]


def test_minilms_ids_are_its_own(tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text(fitted(minilm(), 64).to_str())
    tokens = Tokenizer.from_file(path, length=64)(["A red car."])
    assert tokens.ids[0, :6].tolist() == [101, 1037, 2417, 2482, 1012, 102]
    assert tokens.mask[0].tolist() == [1] * 6 + [0] * 58


@pytest.fixture
def bert_folder(tmp_path):
    """A local copy of BERT's files, with a vocabulary of a few words."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "red", "car", "turn", "##s", "."]
    (tmp_path / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True}))
    return tmp_path


def test_berts_word_pieces_come_from_the_local_folder(bert_folder):
    tokenizer = fitted(wordpiece(BERT_NAME, weights=str(bert_folder)), 9)
    tokens = Tokenizer(tokenizer, length=9)(["A RED car turns.", "a blue car"])
    assert tokens.ids.tolist() == [[2, 5, 6, 7, 8, 9, 10, 3, 0], [2, 5, 1, 7, 3, 0, 0, 0, 0]]
    assert tokens.mask.tolist() == [[1] * 8 + [0], [1] * 5 + [0] * 4]


def test_a_folder_without_berts_vocabulary_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"bert-base-uncased.*set model\.weights"):
        wordpiece(BERT_NAME, weights=str(tmp_path))


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_tiny_reads_every_byte_and_knows_no_other_word(sentence):
    tokenizer = fitted(bytewise(), 4096)
    row = Tokenizer(tokenizer, length=4096)([sentence])
    ids = row.ids[0, : row.mask.sum()].tolist()
    normal = tokenizer.normalizer.normalize_str(sentence)
    assert (ids[0], ids[-1], len(ids)) == (1, 2, 2 + len(normal.encode()))
    assert tokenizer.decoder is None
    assert tokenizers.decoders.ByteLevel().decode([tokenizer.id_to_token(number) for number in ids[1:-1]]) == normal


def test_tinys_special_tokens_cannot_be_written_in_a_sentence():
    tokenizer = fitted(bytewise(), 96)
    assert tokenizer.get_vocab_size() == TINY_VOCABULARY
    assert min(tokenizer.encode("<pad><end>").ids[1:11]) > 2
