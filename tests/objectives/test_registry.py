"""Objectives are found by name, and their settings checked before anything trains."""

from __future__ import annotations

import pytest

from humanalign.objectives import check, lookup, names, objective, preference


def test_lookup_finds_the_function_of_that_name():
    assert lookup("preference", "dpo") is preference.dpo


def test_names_are_sorted_and_complete_for_the_estimators():
    assert names("kl") == ("k1", "k2", "k3")


def test_check_fills_in_every_default():
    assert check("preference", "kto", {"beta": 0.5}) == {
        "beta": 0.5,
        "desirable": 1.0,
        "undesirable": 1.0,
        "reference_point": 0.0,
    }


@pytest.mark.parametrize(
    ("kind", "name", "params", "message"),
    [
        ("prefrence", "dpo", {}, "unknown kind of objective 'prefrence'; did you mean 'preference"),
        ("preference", "dop", {}, "unknown preference objective 'dop'; did you mean 'dpo'"),
        ("kl", "zzzzz", {}, "unknown kl objective 'zzzzz'; known: k1, k2, k3"),
        ("preference", "dpo", {"bta": 0.1}, "dpo: unknown key 'bta'; did you mean 'beta'"),
        ("preference", "dpo", {"beta": "fast"}, "dpo.beta: expected a number above 0, got 'fast'"),
        ("preference", "dpo", {"beta": 0}, "dpo.beta: expected a number above 0, got 0"),
        ("preference", "dpo", {"beta": True}, "dpo.beta: expected a number above 0, got True"),
        ("preference", "dpo", {"beta": float("nan")}, "expected a number above 0, got nan"),
        ("preference", "dpo", {"label_smoothing": 0.5}, "at least 0 and below 0.5, got 0.5"),
        ("preference", "ipo", {"per_token": 1}, "ipo.per_token: expected true or false, got 1"),
        ("advantage", "gae", {"lam": 1.1}, "gae.lam: expected a number at least 0 and at most 1"),
        ("policy", "clipped_surrogate", {"dual_clip": 1.0}, "above 1 or nothing, got 1.0"),
    ],
)
def test_a_mistake_is_named_with_the_value_seen(kind, name, params, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        check(kind, name, params)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "name", "params"),
    [
        ("preference", "dpo", {"beta": 1}),
        ("preference", "ipo", {"per_token": True}),
        ("policy", "clipped_surrogate", {"dual_clip": None}),
        ("policy", "clipped_surrogate", {"dual_clip": 3.0}),
        ("advantage", "gae", {"lam": 1.0, "gamma": 0.0}),
    ],
)
def test_a_setting_within_its_range_is_taken_as_given(kind, name, params):
    assert check(kind, name, params).items() >= params.items()


def test_a_hyper_parameter_without_a_default_cannot_be_registered():
    def nameless(x, *, scale):
        return x * scale

    with pytest.raises(TypeError, match="nameless: 'scale' needs a default"):
        objective("preference")(nameless)


def test_a_name_is_registered_once():
    with pytest.raises(ValueError, match="'dpo' is registered already"):
        objective("preference")(preference.dpo)
