from __future__ import annotations

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from nlvr.engine.errors import BundleError
from nlvr.engine.tokenizer import Tokenizer

WORDS = ["red", "car", "van", "turns", "left"]
VOCABULARY = {word: number for number, word in enumerate(["[UNK]", "[CLS]", "[SEP]", *WORDS, "[PAD]"])}
CLS, SEP, PAD, UNKNOWN = (VOCABULARY[word] for word in ("[CLS]", "[SEP]", "[PAD]", "[UNK]"))
LENGTH = 8
SENTENCES = st.lists(st.sampled_from([*WORDS, "unheard-of", "🚗"]), max_size=12).map(" ".join)


def plain(special=True):
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(VOCABULARY, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    if special:
        tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)]
        )
    return tokenizer


def with_padding():
    tokenizer = plain()
    tokenizer.enable_padding(direction="left", pad_id=PAD, pad_token="[PAD]", length=3)
    tokenizer.enable_truncation(5, direction="left", stride=2)
    return tokenizer


def test_a_row_is_the_sentence_between_its_special_tokens_and_padding():
    tokens = Tokenizer(with_padding(), length=LENGTH)(["red car turns", ""])
    red, car, turns = (VOCABULARY[word] for word in ("red", "car", "turns"))
    assert tokens.ids.tolist() == [[CLS, red, car, turns, SEP, PAD, PAD, PAD], [CLS, SEP, *[PAD] * 6]]
    assert tokens.mask.tolist() == [[1] * 5 + [0] * 3, [1, 1] + [0] * 6]
    assert tokens.cut.tolist() == [False, False]
    assert (tokens.ids.dtype, tokens.mask.dtype, tokens.cut.dtype) == ("int64", "int64", "bool")


def test_padding_is_id_0_where_the_file_names_none():
    assert Tokenizer(plain(), length=4)(["red"]).ids.tolist() == [[CLS, VOCABULARY["red"], SEP, 0]]


@given(sentence=SENTENCES, special=st.booleans())
@settings(deadline=None)
def test_a_long_sentence_keeps_its_start_and_its_special_tokens(sentence, special):
    words = [VOCABULARY.get(word, UNKNOWN) for word in sentence.split()]
    tokens = Tokenizer(plain(special), length=LENGTH)([sentence])
    room = LENGTH - 2 * special
    expected = [CLS, *words[:room], SEP] if special else words[:room]
    count = len(expected)
    assert tokens.ids[0].tolist() == expected + [0] * (LENGTH - count)
    assert tokens.mask[0].tolist() == [1] * count + [0] * (LENGTH - count)
    assert tokens.cut.tolist() == [len(words) > room]


@given(sentences=st.lists(SENTENCES, max_size=9))
@settings(deadline=None)
def test_a_row_depends_on_its_own_sentence_alone(sentences):
    tokenizer = Tokenizer(with_padding(), length=LENGTH)
    together = tokenizer(sentences)
    assert together.ids.shape == together.mask.shape == (len(sentences), LENGTH)
    assert together.cut.shape == (len(sentences),)
    for row, sentence in enumerate(sentences):
        alone = tokenizer([sentence])
        assert alone.ids[0].tolist() == together.ids[row].tolist()
        assert alone.mask[0].tolist() == together.mask[row].tolist()
        assert alone.cut[0] == together.cut[row]


def test_a_file_gives_what_was_saved(tmp_path):
    path = tmp_path / "tokenizer.json"
    with_padding().save(str(path))
    found = Tokenizer.from_file(path, length=LENGTH)(["red van left"])
    assert found.ids.tolist() == Tokenizer(with_padding(), length=LENGTH)(["red van left"]).ids.tolist()


@pytest.mark.parametrize("content", [None, b"", b"{", b"{}", b"[]", b"null", b'{"version": "1.0"}', b"\xff\xfe"])
def test_a_file_that_is_no_tokenizer_is_refused(tmp_path, content):
    path = tmp_path / "tokenizer.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BundleError) as caught:
        Tokenizer.from_file(path, length=LENGTH)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert message.endswith("; export the bundle again")
    assert message.isprintable()


@pytest.mark.parametrize(("special", "shortest"), [(True, 3), (False, 1)])
def test_a_length_without_room_for_a_word_is_refused(tmp_path, special, shortest):
    path = tmp_path / "tokenizer.json"
    plain(special).save(str(path))
    for length in (-1, *range(shortest)):
        with pytest.raises(BundleError, match=f"a text of {length} tokens has no room"):
            Tokenizer.from_file(path, length=length)
    assert Tokenizer.from_file(path, length=shortest)(["red car"]).cut.tolist() == [True]
