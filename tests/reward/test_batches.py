"""How groups of rows are cut into micro-batches by tokens, and how many rows are scored."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import bert_tokenizer

from humanalign.errors import ConfigError
from humanalign.reward.batches import cut, score_rows
from humanalign.reward.reading import Reader, TokenRows


def test_groups_are_cut_by_padded_tokens_shortest_first():
    assert cut([[9, 2], [3, 3], [4], [20]], most=11) == [[1], [2], [0], [3]]
    assert cut([[9, 2], [3, 3], [4], [20]], most=36) == [[1, 2], [0], [3]]


@given(
    st.lists(st.lists(st.integers(1, 50), min_size=1, max_size=4), max_size=20), st.integers(1, 200)
)
def test_every_group_is_in_one_piece_and_pieces_keep_the_limit(groups, most):
    pieces = cut(groups, most)
    assert sorted(number for piece in pieces for number in piece) == list(range(len(groups)))
    for piece in pieces:
        lengths = [length for number in piece for length in groups[number]]
        assert len(piece) == 1 or len(lengths) * max(lengths) <= most


def test_a_limit_below_one_token_is_refused():
    with pytest.raises(ConfigError, match="micro_tokens: must be at least 1, got 0"):
        cut([[1]], most=0)


def test_scores_come_back_in_the_order_of_the_rows():
    reader = Reader.of(bert_tokenizer(), 40)
    prompts = ["w1", "w2 w3", "w1", None, "w4"] * 5
    said = [" ".join(["w5"] * (row % 7 + 1)) for row in range(25)]
    widths = []

    def lengths(tokens: TokenRows) -> torch.Tensor:
        widths.append(tokens.mask.numel())
        return tokens.mask.sum(1)

    frame = [2 if p is None else 3 + len(p.split()) for p in prompts]
    expected = [size + row % 7 + 1 for row, size in enumerate(frame)]
    assert score_rows(reader, prompts, said, lengths, tokens=60) == expected
    assert len(widths) > 3


def test_answers_to_one_prompt_are_scored_side_by_side():
    reader = Reader.of(bert_tokenizer(), 40)
    seen = []

    def first_words(tokens: TokenRows) -> torch.Tensor:
        seen.extend(tokens.ids[:, 1].tolist())
        return tokens.ids[:, 1].float()

    score_rows(reader, ["w1", "w2", "w1", "w2"], ["w3", "w4", "w5", "w6"], first_words)
    assert seen in ([a, a, b, b] for a in seen for b in seen)
    assert len(set(seen)) == 2
