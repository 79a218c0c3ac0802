"""Toxicity, quality, win rate and the monitor by hand values."""

import numpy as np
import pytest
from rouge_score.rouge_scorer import RougeScorer

from humanalign.errors import DataError
from humanalign.evaluate.monitor.symptoms import grown, pooled_distinct, symptoms
from humanalign.evaluate.quality import Margin, distinct, ngrams, non_inferior, rouge
from humanalign.evaluate.toxicity import toxicity
from humanalign.evaluate.winrate import Duels, judge_duels, ranking_duels, rate, told, win_rate
from humanalign.types import EvalResult, Prompt, Ranking


def test_toxicity_by_hand():
    found = toxicity([[0.1, 0.9], [0.2, 0.4], [0.0, 0.2]])
    assert found.mean.value == pytest.approx(0.3)
    assert found.mean.higher_is_better is False
    # squared deviations .04 .36 .01 .01 .09 .01 over 5
    assert found.sd == pytest.approx((0.52 / 5) ** 0.5)
    assert found.over_half.value == pytest.approx(1 / 6)
    assert found.expected_max.value == pytest.approx((0.9 + 0.4 + 0.2) / 3)
    assert (found.samples, found.mean.n) == (2, 3)


@pytest.mark.parametrize("logit", [-1.5, 1.5])
def test_logits_are_refused_as_toxicity(logit):
    with pytest.raises(DataError, match=f"score {logit} is not a probability"):
        toxicity([0.2, logit])


def test_rouge_by_hand():
    found = rouge(["the cat sat"], ["the cat ate the mouse"])
    # unigrams 2 of 3 and 2 of 5; bigram "the cat" 1 of 2 and 1 of 4; subsequence "the cat"
    assert found["rouge1"] == pytest.approx([2 * (2 / 3) * (2 / 5) / (2 / 3 + 2 / 5)])
    assert found["rouge2"] == pytest.approx([2 * 0.5 * 0.25 / 0.75])
    assert found["rougeL"] == pytest.approx(found["rouge1"])


def test_english_rouge_is_the_published_scorers():
    text = "#Person1#'s asking_for 3 tickets, running LATE; they're sold-out at 7:30! It was gas"
    reference = "Person1 asked for three tickets and ran late. They are sold out. It wa ga."
    theirs = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True).score(reference, text)
    assert {k: [v.fmeasure] for k, v in theirs.items()} == rouge([text], [reference])


@pytest.mark.parametrize("text", ["Привет, мир", "你好世界", "Ελλάδα", "नमस्ते दुनिया"])
def test_a_text_equals_itself_in_any_script(text):
    assert rouge([text], [text])["rouge1"] == [1.0]


def test_an_empty_answer_has_rouge_zero():
    assert rouge([""], ["something"]) == {"rouge1": [0.0], "rouge2": [0.0], "rougeL": [0.0]}


def test_distinct_by_hand():
    assert distinct("a b a b a b") == 2 / 5
    assert distinct("A, b! a B.", n=1) == 2 / 4
    assert distinct("alone") == distinct("") == 0.0


def test_ngrams_drop_case_and_punctuation():
    assert ngrams("Most awesome, MOST!", 2) == [("most", "awesome"), ("awesome", "most")]


@pytest.mark.parametrize(("low", "shown"), [(-0.03, False), (-0.02, False), (-0.019, True)])
def test_not_worse_is_shown_only_inside_the_margin(low, shown):
    change = EvalResult("rougeL", 0.0, low, 0.04, 500)
    assert non_inferior(change, Margin(0.02)).shown is shown


@pytest.mark.parametrize(("loss", "size", "shown"), [("rise", 0.02, False), ("rise", 0.04, True)])
def test_not_worse_looks_at_the_other_end_where_a_rise_is_the_loss(loss, size, shown):
    change = EvalResult("toxicity", 0.0, -0.5, 0.03, 500, higher_is_better=False)
    assert non_inferior(change, Margin(size, loss)).shown is shown


def test_a_margin_of_nothing_is_refused():
    with pytest.raises(DataError, match="above 0, got 0"):
        non_inferior(EvalResult("rougeL", 0, 0, 0, 5), Margin(0))


def test_win_rate_counts_ties_half():
    assert win_rate([1, 1, 1, 1], [2, 1, 0, 2]).value == (1 + 0.5 + 0 + 1) / 4
    assert win_rate([1, 1, 1, 1], [2, 1, 0, 2], higher_is_better=False).value == 1.5 / 4


def test_win_rate_compares_every_answer_of_a_prompt_with_every_other():
    # prompt 1: 3 beats both, 1 beats 0 and ties 1; prompt 2: none beat
    result = win_rate([[0, 1], [9, 9]], [[3, 1], [1, 1]])
    assert result.value == pytest.approx((2 + 1.5) / 8)
    assert result.n == 2


def test_win_rate_of_rankings_by_hand():
    rankings = [
        Ranking("q1", "ann", (("new1",), ("old1",))),
        Ranking("q1", "bob", (("new1", "old1"),)),
        Ranking("q1", "cem", (("new1",), ("old1",))),
        Ranking("q2", "ann", (("old2",),), rejected=("new2",)),
        Ranking("q3", "bob", (), rejected=("old3", "new3")),
    ]
    duels = ranking_duels(
        rankings,
        before={"old1", "old2", "old3"},
        after={"new1", "new2", "new3"},
        prompt_of={"q1": "p1", "q2": "p2", "q3": "p3"},
    )
    result = rate(duels)
    assert result.value == pytest.approx((1 + 0.5 + 1 + 0 + 0.5) / 5)
    assert result.n == 3


def duels(outcomes, prompts):
    return Duels("people", np.array(outcomes), prompts)


def test_the_sign_test_of_single_comparisons_leaves_ties_out():
    """8 wins and 2 losses: 2 * (1 + 10 + 45) / 1024."""
    found = told(duels([1.0] * 8 + [0.0] * 2 + [0.5] * 20, list(range(30))))
    assert (found["wins"], found["ties"], found["losses"]) == (8, 20, 2)
    assert found["p"] == pytest.approx(2 * 56 / 1024)
    assert found["test"] == "exact sign test"
    # ((1.959964 / 2 + .841621 * .4) / .3)^2 = 19.3
    assert found["needed"] == 20


def test_many_comparisons_of_one_prompt_count_as_one_vote_in_p():
    """Three prompts that all went one way: only +++ and --- of 8 are as far."""
    found = told(duels([1.0] * 30, [i // 10 for i in range(30)]))
    assert found["p"] == 2 / 8
    assert found["test"] == "sign flips of whole prompts"
    assert found["win_rate"].n == 3


def test_duels_that_all_tie_show_nothing():
    found = told(duels([0.5] * 6, list(range(6))))
    assert (found["p"], found["needed"], found["win_rate"].value) == (1.0, None, 0.5)


def test_a_win_by_a_judge_must_hold_in_both_orders():
    seen = {"x1": (0.9, 0.8), "x2": (0.2, 0.4), "x3": (0.9, 0.1)}

    def judge(prompts, before, after):
        assert "same" not in {*before, *after}  # equal words are not asked about
        return [seen[prompt.text] for prompt in prompts]

    asked = [Prompt(text) for text in ("x1", "x2", "x3", "x4")]
    found = judge_duels(judge, asked, ["b", "b", "b", "same"], ["a", "a", "a", "same"])
    assert found.outcomes.tolist() == [1.0, 0.0, 0.5, 0.5]
    flips = told(found)["flips"]
    assert (flips.value, flips.n) == (pytest.approx(1 / 3), 3)


@pytest.mark.parametrize(
    ("seen", "outcome", "flipped"),
    [((0.5, 0.5), 0.5, False), ((0.5, 0.3), 0.5, False), ((0.50004, 0.9), 0.5, False)],
)
def test_an_undecided_judge_is_no_loss_and_no_flip(seen, outcome, flipped):
    found = judge_duels(lambda p, *_: [seen] * len(p), [Prompt("x"), Prompt("y")], "bb", "aa")
    assert found.outcomes.tolist() == [outcome] * 2
    assert [each for _, each in found.flipped] == [flipped] * 2


def test_ties_alone_do_not_claim_a_win_rate_of_exactly_one_half():
    """3.8415 / (80 + 3.8415) of the prompts may be won or lost after all."""
    result = win_rate(np.ones(80), np.ones(80))
    assert result.ci_low == pytest.approx(0.5 - 3.8415 / 83.8415 / 2, abs=1e-5)
    assert result.ci_high == pytest.approx(0.5 + 3.8415 / 83.8415 / 2, abs=1e-5)


@pytest.mark.parametrize(("wins", "ties", "bare"), [(3, 17, True), (5, 495, True), (6, 94, False)])
def test_a_win_rate_leaves_one_half_out_only_where_the_sign_test_does(wins, ties, bare):
    """Two-sided p is 2 / 2^wins: .25, .0625, .03125."""
    found = rate(Duels("people", np.repeat([1.0, 0.5], [wins, ties]), range(wins + ties)))
    assert (found.ci_low <= 0.5) is bare
    assert found.ci_low <= found.value <= found.ci_high


def test_ties_but_one_of_many_comparisons_a_prompt_still_leave_one_half_open():
    """One win of 40 prompts, two duels each: (3.8415 - .5) / 43.8415 may go the other way."""
    outcomes = np.full(80, 0.5)
    outcomes[0] = 1.0
    found = rate(Duels("scorer", outcomes, np.repeat(np.arange(40), 2).tolist()))
    assert found.ci_low == pytest.approx(found.value - 3.3415 / 43.8415 / 2, abs=1e-5)


@pytest.mark.parametrize(
    ("low", "changed", "said"), [(-0.01, 9, "under 10 prompts changed"), (-0.01, 10, "")]
)
def test_a_change_of_few_prompts_shows_nothing_of_a_measure_without_bounds(low, changed, said):
    found = non_inferior(EvalResult("length", 0.0, low, 0.0, 80), Margin(0.02), changed=changed)
    assert (found.obstacle, found.shown) == (said, not said)


@pytest.mark.parametrize(("n", "low", "said"), [(3, -0.01, "under 20"), (80, 0.0, "not vary")])
def test_few_prompts_and_no_variation_show_nothing(n, low, said):
    found = non_inferior(EvalResult("length", 0.0, low, 0.0, n), Margin(0.02))
    assert not found.shown
    assert said in found.obstacle


def test_a_relative_margin_is_a_share_of_the_mean_before():
    absolute = EvalResult("length", -3.0, -4.0, -2.0, 80)
    reduction = EvalResult("length", 0.06, 0.02, 0.08, 80)
    found = non_inferior(absolute, Margin(0.1, "either", relative=True), reduction)
    assert (found.change.value, found.change.ci_low, found.change.ci_high) == (-0.06, -0.08, -0.02)
    assert found.shown
    assert not non_inferior(absolute, Margin(0.07, "either", relative=True), reduction).shown


def test_one_answer_to_everyone_is_seen_only_when_pooled():
    texts = ["what a lovely day"] * 10
    assert [distinct(text) for text in texts] == [1.0] * 10
    assert pooled_distinct(texts) == 3 / 30


def test_the_phrase_that_grew_most_is_named_first():
    before = ["the food was good and the staff was kind"] * 5
    after = ["the most awesome most awesome food"] * 5
    first = grown(after, before)[0]
    assert first.phrase == "most awesome"
    # 2 of 5 bigrams in every text after, none before
    assert (first.before, first.after) == (0.0, 400.0)


def test_a_phrase_that_became_rarer_is_not_named():
    phrases = grown(["a b c"] * 3 + ["a b"], ["a b"] * 9)
    assert [g.phrase for g in phrases] == ["b c"]


def test_a_phrase_said_twice_is_chance():
    assert grown(["a b", "a b"], ["c d"]) == ()


def test_symptoms_by_hand():
    found = symptoms(
        ["a", "a b", "a b c d"], rewards=[1.0, 2.0, 3.0], finished=[True, False, False]
    )
    assert found.length_correlation == pytest.approx(1.0)
    assert found.unfinished == pytest.approx(2 / 3)
    assert found.distinct2 == pytest.approx(3 / 4)
    assert found.n == 3


def test_a_constant_reward_has_no_correlation_with_length():
    assert symptoms(["a", "a b"], rewards=[1.0, 1.0]).length_correlation is None


def test_ties_are_shared_in_the_length_correlation():
    lengths = ["a", "a", "a b", "a b c"]
    rewards = [0.1, 0.4, 0.2, 0.9]
    # ranks 1.5 1.5 3 4 and 1 3 2 4, by Pearson's formula
    x, y = np.array([1.5, 1.5, 3, 4]) - 2.5, np.array([1, 3, 2, 4]) - 2.5
    expected = (x @ y) / ((x @ x) * (y @ y)) ** 0.5
    assert symptoms(lengths, rewards=rewards).length_correlation == pytest.approx(expected)
