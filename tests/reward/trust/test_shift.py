"""What the fit has not seen: distances against closed forms, other domains, the file."""

import numpy as np
import pytest
from scipy.stats import chi2

from humanalign.errors import DataError
from humanalign.prefer.files.formats import read_pairs
from humanalign.reward.model import LearnedReward
from humanalign.reward.trust.baselines import features_of
from humanalign.reward.trust.shift import Familiar, shrunk_covariance


@pytest.fixture(scope="module")
def familiar():
    rng = np.random.default_rng(0)
    return Familiar.of(rng.normal(size=(4_000, 8)), rng.normal(size=4_000))


def test_the_limit_of_a_normal_cloud_is_that_of_chi_square(familiar):
    assert familiar.limit == pytest.approx(chi2.ppf(0.975, df=8), rel=0.05)
    assert (familiar.low, familiar.high) == pytest.approx((-2.576, 2.576), abs=0.2)


def test_few_familiar_texts_and_all_others_are_called_unfamiliar(familiar):
    rng = np.random.default_rng(1)
    same = familiar.unfamiliar(rng.normal(size=(2_000, 8)), rng.normal(size=2_000))
    assert 0.02 < same.mean() < 0.05
    assert familiar.unfamiliar(rng.normal(size=(50, 8)) + 4, np.zeros(50)).all()


def test_a_score_out_of_range_is_unfamiliar_by_itself(familiar):
    found = familiar.unfamiliar(np.zeros((3, 8)), [0.0, 5.0, -5.0])
    assert found.tolist() == [False, True, True]


def test_distance_is_mahalanobis():
    rng = np.random.default_rng(2)
    mix = np.eye(5) + 0.2 * rng.normal(size=(5, 5))
    rows = rng.normal(size=(3_000, 5)) @ mix + 1
    own = Familiar.of(rows, np.zeros(3_000))
    asked = rng.normal(size=(20, 5))
    away = asked - rows.mean(0)
    expected = np.einsum("nd,de,ne->n", away, np.linalg.inv(np.cov(rows.T)), away)
    assert own.distances(asked) == pytest.approx(expected, rel=0.05)


def test_the_shrinkage_is_ledoit_and_wolfs_summed_out():
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(12, 5)) * [1, 2, 3, 4, 5]
    rows -= rows.mean(0)
    sample = sum(np.outer(x, x) for x in rows) / 12
    middle = np.trace(sample) / 5
    spread = np.linalg.norm(sample - middle * np.eye(5)) ** 2
    noise = sum(np.linalg.norm(np.outer(x, x) - sample) ** 2 for x in rows) / 12**2
    share = min(noise, spread) / spread
    assert 0 < share < 1
    expected = (1 - share) * sample + share * middle * np.eye(5)
    assert shrunk_covariance(rows) == pytest.approx(expected)


def test_fewer_texts_than_features_are_enough():
    rng = np.random.default_rng(4)
    own = Familiar.of(rng.normal(size=(60, 100)), np.zeros(60))
    fresh = rng.normal(size=(200, 100))
    assert own.unfamiliar(fresh, np.zeros(200)).mean() < 0.15
    assert own.unfamiliar(3 * fresh, np.zeros(200)).all()


def test_the_record_comes_back_from_its_file(familiar, tmp_path):
    familiar.save(tmp_path / "familiar.safetensors")
    again = Familiar.load(tmp_path / "familiar.safetensors")
    rows = np.random.default_rng(5).normal(size=(10, 8))
    assert again.distances(rows) == pytest.approx(familiar.distances(rows), rel=1e-5)
    assert (again.limit, again.low, again.high) == (familiar.limit, familiar.low, familiar.high)


def test_another_file_is_refused(tmp_path):
    (tmp_path / "x.safetensors").write_text("nothing")
    for name in ("x.safetensors", "missing.safetensors"):
        with pytest.raises(DataError, match="no record of familiar texts"):
            Familiar.load(tmp_path / name)


def test_too_few_texts_or_scores_are_refused():
    with pytest.raises(DataError, match="10 texts or more"):
        Familiar.of(np.zeros((9, 3)), np.zeros(9))
    with pytest.raises(DataError, match="and 3 scores"):
        Familiar.of(np.zeros((20, 3)), np.zeros(3))


@pytest.mark.slow
def test_texts_of_another_domain_are_unfamiliar_to_a_real_encoder(minilm, shared):
    """Conversations are known; the others are lists of made-up words, read like answers."""
    pairs = read_pairs(shared / "data/hh_rlhf/harmless_base_test.shared.jsonl.gz")[:160]
    known, fresh = ([(p.prompt, p.chosen) for p in part] for part in (pairs[:130], pairs[130:]))
    rng = np.random.default_rng(0)
    words = ["qx", "zz", "blorp", "12", "##", "foo", "kla"]
    others = [("Hi", " ".join(rng.choice(words, size=20))) for _ in range(30)]
    start = LearnedReward.start(minilm, max_tokens=64)
    own = Familiar.of(features_of(start, known), np.zeros(130))
    share = [own.unfamiliar(features_of(start, t), np.zeros(30)).mean() for t in (fresh, others)]
    assert share[0] < 0.15
    assert share[1] > 0.6
