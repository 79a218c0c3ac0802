"""What to label next: the value of a question, and which questions a batch holds."""

import numpy as np
import pytest
from scipy.special import expit

from humanalign.reward.active import choose
from humanalign.reward.posterior import Answers, Posterior, information, learn


def test_a_labeler_known_to_toss_a_coin_tells_nothing():
    assert information(np.zeros(1), np.zeros(1)) == pytest.approx(0.0, abs=1e-12)


def test_what_is_known_for_sure_tells_nothing():
    assert information(np.array([3.0]), np.zeros(1)) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 0.5), (1.0, 2.0), (-2.0, 1.0)])
def test_information_is_the_mean_disagreement_of_heads_drawn_from_the_posterior(mean, deviation):
    p = expit(np.random.default_rng(0).normal(mean, deviation, 400_000))
    each = -p * np.log(p) - (1 - p) * np.log1p(-p)
    middle = p.mean()
    whole = -middle * np.log(middle) - (1 - middle) * np.log(1 - middle)
    found = information(np.array([mean]), np.array([deviation**2]))[0]
    assert found == pytest.approx(whole - each.mean(), abs=2e-3)


def test_scaled_pairs_differ_by_one_on_average_and_constants_do_not_count():
    raw = np.random.default_rng(0).normal(size=(12, 3)) * [1.0, 100.0, 0.0] + 5.0
    answers = Answers.of(raw, [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3])
    steps = [
        answers.features[3 * g + i] - answers.features[3 * g + j]
        for g in range(4)
        for i in range(3)
        for j in range(i)
    ]
    assert np.mean([step @ step for step in steps]) == pytest.approx(1.0)
    assert not answers.features[:, 2].any()


def test_one_feature_is_learned_as_its_curvature_says():
    # w at the optimum solves prior w = n expit(-w): a pair of step 1, n times over.
    answers = Answers(np.array([[1.0], [0.0]]), np.array([0, 0]), np.ones(1))
    found = learn(answers, np.zeros(40, int), np.ones(40, int))
    w = found.mean[0]
    prior = 40 * expit(-w) / w
    assert 1 / found.cov[0, 0] == pytest.approx(prior + 40 * expit(w) * expit(-w), rel=1e-3)


def planted(seed: int, prompts: int = 60) -> Answers:
    features = np.random.default_rng(seed).normal(size=(4 * prompts, 8))
    return Answers.of(features, np.repeat(np.arange(prompts), 4))


def nothing_known(answers: Answers) -> Posterior:
    return learn(answers, np.array([], int), np.array([], int))


def test_a_batch_asks_one_comparison_a_prompt_and_none_that_was_asked():
    answers = planted(0)
    known = [tuple(edge) for edge in answers.edges()[:6].tolist()]
    pending = [tuple(edge) for edge in answers.edges()[6:11].tolist()]
    chosen = choose(answers, nothing_known(answers), 99, known=known, pending=pending)
    prompts = [answers.prompt[each.answers[0]] for each in chosen]
    assert sorted(prompts) == list(range(1, 60))
    last_of_its_prompt = tuple(answers.edges()[11].tolist())
    assert [c.answers for c in chosen if answers.prompt[c.answers[0]] == 1] == [last_of_its_prompt]


def test_a_question_like_one_in_the_batch_comes_after_a_new_one():
    # Prompts 0 and 1 ask about the first feature, 2 about the second, which is a little smaller.
    features = np.array([[1.0, 0], [0, 0], [1.0, 0], [0, 0], [0, 0.9], [0, 0]])
    answers = Answers(features, np.array([0, 0, 1, 1, 2, 2]), np.ones(2))
    chosen = choose(answers, Posterior(np.zeros(2), np.eye(2) * 9), 2)
    assert {answers.prompt[each.answers[0]] for each in chosen} & {2}


def test_a_comparison_of_several_holds_answers_to_one_prompt():
    answers = planted(0)
    chosen = choose(answers, nothing_known(answers), 5, size=3)
    assert all(len(set(each.answers)) == 3 for each in chosen)
    assert all(len({answers.prompt[row] for row in each.answers}) == 1 for each in chosen)


def test_the_same_seed_chooses_the_same_and_another_seed_draws_others():
    answers = planted(0)
    drawn = [
        choose(answers, nothing_known(answers), 9, by="random", seed=seed) for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_in_a_planted_world_information_needs_fewer_labels_than_chance():
    """Three prompts in four have answers that hardly differ in what counts, which is known."""

    def error(by: str, seed: int) -> float:
        rng = np.random.default_rng(seed)
        truth = rng.normal(size=6) * 6
        features = rng.normal(size=(480, 6))
        features[np.repeat(np.arange(120) % 4 > 0, 4)] *= 0.05
        answers = Answers(features, np.repeat(np.arange(120), 4), np.ones(6))
        known, wins = [], []
        while len(known) < 60:
            heads = learn(answers, *np.array(wins, int).reshape(-1, 2).T)
            for each in choose(answers, heads, 10, by=by, known=known, seed=len(known)):
                a, b = sorted(each.answers)
                known.append((a, b))
                first = rng.random() < expit((features[a] - features[b]) @ truth)
                wins.append((a, b) if first else (b, a))
        w = learn(answers, *np.array(wins, int).reshape(-1, 2).T).mean
        return 1 - w @ truth / np.linalg.norm(w) / np.linalg.norm(truth)

    worse = [error("random", seed) / error("information", seed) for seed in range(5)]
    assert np.median(worse) > 1.5
