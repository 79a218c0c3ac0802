"""How groups of rows are cut into micro-batches by tokens, and how many rows are scored."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import bert_tokenizer

from humanalign.errors import ConfigError
from humanalign.reward.batches import cut, score_rows
from humanalign.reward.fit import pair_loss
from humanalign.reward.groups import group_by_prompt
from humanalign.reward.model import LearnedReward
from humanalign.reward.reading import Reader, TokenRows
from humanalign.types import PreferencePair


def test_groups_are_cut_by_padded_tokens_shortest_first():
    assert cut([[9, 2], [3, 3], [4], [20]], most=11) == [[1], [2], [0], [3]]
    assert cut([[9, 2], [3, 3], [4], [20]], most=12) == [[1, 2], [0], [3]]
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


@pytest.mark.parametrize("kind", ["encoder", "causal", "t5"])
def test_the_step_is_the_same_however_the_batch_is_cut(kind, request):
    reward = LearnedReward.start(request.getfixturevalue(kind), max_tokens=40)
    pairs = [
        PreferencePair(f"w{i} " * (3 * i + 1), "good " * (i + 1), "bad w1") for i in range(5)
    ] + [PreferencePair("w0 ", "fine", "rude")]
    found = []
    for most in (1, 60, 10_000):
        reward.zero_grad()
        groups = group_by_prompt(pairs)
        sizes = [
            [len(row.ids) for row in reward.reader.encode([g.prompt] * 2, g.completions[:2])]
            for g in groups
        ]
        losses = [pair_loss(reward, [groups[i] for i in part]) for part in cut(sizes, most)]
        sum(loss.total for loss in losses).backward()
        grads = [p.grad.flatten() for p in reward.parameters() if p.grad is not None]
        found.append(torch.cat([*grads, torch.tensor([sum(x.count for x in losses)])]))
    largest = float(found[-1].abs().max())
    for other in found[:-1]:
        assert torch.allclose(other, found[-1], atol=1e-6 * largest)
