"""A classifier as a reward: the label by its name, three uses, the response alone."""

import shutil
from pathlib import Path

import pytest
import tiny_models
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from humanalign.errors import ConfigError, DataError
from humanalign.reward.classifier import load_classifier
from humanalign.reward.labels.model import start_classifier

PROMPTS = ["you are bad !", "the w3", ""]
TEXTS = ["w1 w2 good fine", "rude", "a w9 is . . w4 w5"]
CLOSE = 1e-5


def logits_by_transformers(path: str, texts: list[str]) -> torch.Tensor:
    """[rows, labels], each text alone, so that nothing is padded."""
    model = AutoModelForSequenceClassification.from_pretrained(path).eval()
    words = AutoTokenizer.from_pretrained(path)
    with torch.no_grad():
        return torch.cat([model(**words(text, return_tensors="pt")).logits for text in texts])


def test_the_named_label_is_scored_wherever_it_stands(hate):
    expected = logits_by_transformers(hate, TEXTS)
    for place, label in enumerate(["spam", "hate", "nothate"]):
        scores = load_classifier(hate, label=label).score(PROMPTS, TEXTS)
        assert scores == pytest.approx(expected[:, place].tolist(), abs=CLOSE)


def test_logprob_and_prob_are_a_softmax_over_the_labels(hate):
    softmax = logits_by_transformers(hate, TEXTS).softmax(-1)[:, 2]
    prob = load_classifier(hate, label="nothate", use="prob").score(PROMPTS, TEXTS)
    logprob = load_classifier(hate, label="nothate", use="logprob").score(PROMPTS, TEXTS)
    assert prob == pytest.approx(softmax.tolist(), abs=CLOSE)
    assert logprob == pytest.approx(softmax.log().tolist(), abs=CLOSE)


def test_labels_that_do_not_exclude_each_other_have_a_sigmoid_each(tmp_path):
    path = tiny_models.save_classifier(
        tmp_path, ["toxic", "rude"], problem_type="multi_label_classification"
    )
    expected = logits_by_transformers(path, TEXTS).sigmoid()[:, 1]
    scores = load_classifier(path, label="rude", use="prob").score(PROMPTS, TEXTS)
    assert scores == pytest.approx(expected.tolist(), abs=CLOSE)


def test_the_response_alone_is_read_by_default(hate):
    reward = load_classifier(hate, label="hate")
    assert reward.score(["rude bad"] * 3, TEXTS) == pytest.approx(reward.score([""] * 3, TEXTS))


def test_both_texts_are_read_as_a_pair_where_asked(hate):
    model = AutoModelForSequenceClassification.from_pretrained(hate).eval()
    words = AutoTokenizer.from_pretrained(hate)
    inputs = words(PROMPTS[0], TEXTS[0], return_tensors="pt", return_token_type_ids=True)
    with torch.no_grad():
        expected = model(**inputs).logits[0, 1].item()
    (score,) = load_classifier(hate, label="hate", text="both").score(PROMPTS[:1], TEXTS[:1])
    assert score == pytest.approx(expected, abs=CLOSE)


@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_padding_and_batching_do_not_change_a_score(hate, batch_size):
    alone = load_classifier(hate, label="hate", batch_size=1)
    together = load_classifier(hate, label="hate", batch_size=batch_size)
    expected = [alone.score([p], [t])[0] for p, t in zip(PROMPTS, TEXTS, strict=True)]
    assert together.score(PROMPTS, TEXTS) == pytest.approx(expected, abs=CLOSE)


def test_a_response_beyond_the_limit_keeps_its_end(hate):
    reward = load_classifier(hate, label="hate")
    end = "w7 " * 62  # 64 positions less [CLS] and [SEP]
    assert reward.score([""], ["rude " * 50 + end]) == pytest.approx(reward.score([""], [end]))


HOSTILE = [
    "",
    " \n\t",
    "x" * 10_000,
    "w1 " * 5_000,
    "日本語のテキスト",
    "\x00",
    "a\u202eb",
    "[PAD] [SEP]",
]


@pytest.mark.parametrize("family", ["hate", "causal", "t5"])
def test_hostile_texts_score_alike_alone_and_together(family, request):
    path = request.getfixturevalue(family)
    reward = start_classifier(path, ["fine", "toxic"], device="cpu").reward("toxic")
    alone = [reward.score([""], [text])[0] for text in HOSTILE]
    assert reward.score(HOSTILE, HOSTILE) == pytest.approx(alone, abs=CLOSE)


def test_a_text_that_ends_a_t5_too_early_is_refused_in_one_sentence(t5):
    reward = start_classifier(t5, ["fine", "toxic"]).reward("toxic")
    with pytest.raises(DataError, match="end-of-text token"):
        reward.score(["", ""], ["w1 </s> w2", "w1"])


def test_half_a_character_is_no_text(hate):
    with pytest.raises(DataError, match=r"row 1: .* is half a character"):
        load_classifier(hate, label="hate").score(["", ""], ["fine", "\ud800"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "choose one of: spam, hate, nothate"),
        ({"label": "nohate"}, "its labels: spam, hate, nothate; did you mean 'nothate'"),
        ({"label": "hate", "use": "probability"}, "expected one of logit, logprob, prob"),
        ({"label": "hate", "text": "prompt"}, "expected one of response, both"),
    ],
)
def test_a_wrong_choice_lists_what_there_is(hate, options, said):
    with pytest.raises(ConfigError, match=said):
        load_classifier(hate, **options)


def test_a_single_output_needs_no_label_and_has_no_probability(tmp_path):
    path = tiny_models.save_classifier(tmp_path, ["quality"])
    expected = logits_by_transformers(path, TEXTS)[:, 0]
    assert load_classifier(path).score(PROMPTS, TEXTS) == pytest.approx(
        expected.tolist(), abs=CLOSE
    )
    with pytest.raises(ConfigError, match="use=logit"):
        load_classifier(path, use="prob")


def test_a_directory_without_a_tokenizer_is_refused_saying_so(hate, tmp_path):
    folder = Path(shutil.copytree(hate, tmp_path / "bare"))
    for file in folder.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(DataError, match="without a tokenizer"):
        load_classifier(str(folder), label="hate")


def test_a_model_without_a_classification_head_is_refused(encoder):
    # transformers would make up a random head, and training would follow noise.
    with pytest.raises(DataError, match="no classification head"):
        load_classifier(encoder, label="LABEL_0")
