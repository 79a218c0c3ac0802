"""A reward card with plausible numbers, as a fit on human pairs of three labelers writes it."""

from __future__ import annotations

import math


def share(value, n):
    """A share with Wald's interval: near enough for a picture."""
    spread = 1.96 * math.sqrt(value * (1 - value) / n)
    low, high = max(0.0, value - spread), min(1.0, value + spread)
    return {"value": value, "ci_low": low, "ci_high": high, "n": n}


def change(value, reach, n):
    return {"value": value, "ci_low": value - reach, "ci_high": value + reach, "n": n}


def bins(shares):
    edges = [0.5 + 0.1 * i for i in range(len(shares) + 1)]
    return [
        {"low": a, "high": b, "confidence": (a + b) / 2, "accuracy": share(right, n), "n": n}
        for a, b, (right, n) in zip(edges, edges[1:], shares, strict=False)
    ]


def card():
    """Every part of the contract's schema."""
    n = 141
    return {
        "pairs": {"train": 1123, "test": 412, "train_prompts": 480, "test_prompts": n},
        "accuracy": share(0.662, n),
        "by": {
            "source": {"human": share(0.671, 120), "ai": share(0.61, 34)},
            "criterion": {"harmless": share(0.69, 88), "helpful": share(0.618, 70)},
            "labeler": {
                "ann": share(0.72, 97),
                "bola-with-a-long-family-name": share(0.64, 88),
                "chen": share(0.58, 42),
            },
        },
        "baselines": [
            {
                "name": name,
                "accuracy": share(value, n),
                "difference": change(0.662 - value, 0.05, n),
            }
            for name, value in (
                ("longer wins", 0.541),
                ("tf-idf + logistic regression", 0.602),
                ("frozen embedding + linear", 0.641),
            )
        ],
        "calibration": {
            "temperature": 1.42,
            "ece": change(0.083, 0.021, n),
            "ece_scaled": change(0.031, 0.016, n),
            "bins": bins([(0.52, 130), (0.58, 104), (0.66, 80), (0.7, 61), (0.81, 37)]),
            "scaled_bins": bins([(0.53, 190), (0.64, 116), (0.74, 70), (0.83, 36)]),
        },
        "length": {
            "longer_chosen": share(0.541, n),
            "longer_scored": share(0.63, n),
            "correlation": 0.24,
            "when_longer_wins": share(0.76, 110),
            "when_shorter_wins": share(0.54, 101),
        },
        "position": {
            "first_chosen": share(0.53, n),
            "when_first_wins": share(0.67, 90),
            "when_second_wins": share(0.65, 88),
        },
        "sign": {"wins": 88, "losses": 45, "p": 0.00024},
        "labelers": {
            "rows": [
                {"id": "ann", "reward": share(0.72, 97), "others": share(0.77, 90)},
                {
                    "id": "bola-with-a-long-family-name",
                    "reward": share(0.64, 88),
                    "others": share(0.74, 88),
                },
                {"id": "chen", "reward": share(0.58, 42), "others": share(0.66, 40)},
            ],
            "reward": share(0.655, n),
            "each_other": share(0.79, 132),
            "ceiling": share(0.881, 132),
        },
        "leaks": {
            "same_prompts": 0,
            "near_prompts": 3,
            "same_answers": 11,
            "contradictions": 4,
            "examples": ["I am sorry, I cannot help with that.", "Sure! Here is a <b>recipe</b>."],
        },
        "range": {"low": -2.6, "high": 2.9, "outside": share(0.021, n)},
        "unfamiliar": share(0.043, n),
        "curve": {
            "points": [
                {"share": 0.25, "pairs": 281, "accuracy": share(0.585, n)},
                {"share": 0.5, "pairs": 562, "accuracy": share(0.624, n)},
                {"share": 1.0, "pairs": 1123, "accuracy": share(0.662, n)},
            ],
            "twice": share(0.699, n),
            "sentence": "Twice the pairs would give about .70, so more labels help.",
        },
        "warnings": [
            "11 answers of the held-out part stand in the training pairs too: the accuracy may be "
            "too high.",
            "It prefers the longer answer in 63 % of the pairs; the labelers did in 54 %.",
        ],
    }
