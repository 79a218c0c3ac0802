"""What a scorer sees of two texts: frame, truncation, padding."""

import pytest
from tiny_models import VOCABULARY, bert_tokenizer
from transformers import AutoTokenizer

from humanalign.errors import ConfigError
from humanalign.reward.reading import Reader


def words(reader: Reader, prompt: str | None, response: str) -> str:
    names = {i: word for word, i in VOCABULARY.items()}
    return " ".join(names[i] for i in reader.ids(prompt, response)[0])


def test_bert_reads_the_frame_it_was_trained_with():
    reader = Reader.of(bert_tokenizer(), 20)
    assert words(reader, "w1 w2", "w3") == "[CLS] w1 w2 [SEP] w3 [SEP]"
    assert words(reader, None, "w3") == "[CLS] w3 [SEP]"


def test_t5_ends_both_texts_and_a_causal_model_neither(t5, causal):
    assert words(Reader.of(AutoTokenizer.from_pretrained(t5), 20), "w1", "w3") == "w1 </s> w3 </s>"
    assert words(Reader.of(AutoTokenizer.from_pretrained(causal), 20), "w1", "w3") == "w1 w3"


def test_the_response_is_kept_before_the_prompt_and_the_ends_of_both():
    reader = Reader.of(bert_tokenizer(), 8)  # room for 5 words
    assert words(reader, "w1 w2 w3 w4", "w5 w6 w7") == "[CLS] w3 w4 [SEP] w5 w6 w7 [SEP]"
    assert words(reader, "w1", "w2 w3 w4 w5 w6 w7") == "[CLS] [SEP] w3 w4 w5 w6 w7 [SEP]"


def test_padding_is_on_the_right_and_the_mask_counts_real_tokens():
    rows = Reader.of(bert_tokenizer(), 20).rows(["w1", ""], ["w2 w3", "w4"])
    assert rows.mask.tolist() == [[True] * 6, [True] * 4 + [False] * 2]
    # [CLS] w1 [SEP] w2 w3 [SEP] and [CLS] [SEP] w4 [SEP]
    assert rows.segments.tolist() == [[0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 0, 0]]


def test_a_row_without_a_single_token_still_has_one(causal):
    rows = Reader.of(AutoTokenizer.from_pretrained(causal), 20).rows([""], [""])
    assert rows.mask.tolist() == [[True]]


def test_a_limit_with_no_room_for_words_is_refused():
    with pytest.raises(ConfigError, match="at least 5 for this tokenizer, got 4"):
        Reader.of(bert_tokenizer(), 4)


def test_every_distinct_text_is_tokenised_once(monkeypatch):
    reader = Reader.of(bert_tokenizer(), 20)
    seen = []
    plain = Reader._plain
    monkeypatch.setattr(
        Reader, "_plain", lambda self, texts: seen.extend(texts) or plain(self, texts)
    )
    rows = reader.encode(["w1", "w1", None], ["w2", "w3", "w2"])
    assert sorted(seen) == ["w1", "w2", "w3"]
    assert [len(row.ids) for row in rows] == [5, 5, 3]


def test_a_row_encoded_before_is_padded_as_one_encoded_now():
    reader = Reader.of(bert_tokenizer(), 20)
    prompts, said = ["w1 w2", None, ""], ["w3", "w4 w5", ""]
    early = [reader.encode([p], [r])[0] for p, r in zip(prompts, said, strict=True)]
    kept, now = reader.pad(early), reader.rows(prompts, said)
    for name in ("ids", "mask", "segments"):
        assert getattr(kept, name).tolist() == getattr(now, name).tolist()
