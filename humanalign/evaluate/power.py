"""What n prompts can show: the chance to find an effect of a given size, and the n it takes.

The normal approximation: an estimate with standard error s finds an effect d at level a with the
chance P(|d/s + Z| > z_{1-a/2}). The standard error is read from the interval that was measured, a
quarter of its width (2 * 1.96 to be exact), so pairing and clustering are already in it. `looks`
is the number of measures in the family: Holm's first step asks for a/looks, which is what a
measure must pass when it alone has changed (Holm 1979).
"""

from __future__ import annotations

import math

from scipy.stats import norm

from humanalign.errors import DataError
from humanalign.types import EvalResult

LEVEL, POWER = 0.05, 0.8
SPAN = 2 * float(norm.ppf(0.975))


def standard_error(difference: EvalResult) -> float:
    """That of a difference, from the width of its 95 % interval."""
    return (difference.ci_high - difference.ci_low) / SPAN


def smallest_difference(difference: EvalResult, *, looks: int = 1, power: float = POWER) -> float:
    """The smallest true difference found with the chance `power` at this n and this spread.

    (z_{1-a/2} + z_power) * standard error, with a = .05/looks; 0 where nothing varied.
    """
    return (_bar(looks) + float(norm.ppf(power))) * standard_error(difference)


def chance(difference: EvalResult, effect: float, *, looks: int = 1) -> float:
    """The power to find a true difference of `effect` at this n and this spread."""
    error = standard_error(difference)
    if error == 0:
        return float(effect != 0)
    return float(norm.sf(_bar(looks) - effect / error) + norm.cdf(-_bar(looks) - effect / error))


def needed_prompts(
    difference: EvalResult, effect: float, *, looks: int = 1, power: float = POWER
) -> int:
    """How many prompts find a true difference of `effect` with the chance `power`.

    The error shrinks with the root of n. DataError: an effect of 0, which no n can find.
    """
    if effect == 0:
        raise DataError("effect: no number of prompts finds a difference of 0; name one above it")
    ratio = smallest_difference(difference, looks=looks, power=power) / effect
    return math.ceil(difference.n * ratio**2)


def needed_comparisons(win_rate: float, *, power: float = POWER) -> int | None:
    """How many untied comparisons tell a win rate from one half with the chance `power`.

    ((z_{1-a/2}/2 + z_power sqrt(w(1-w))) / (w - 1/2))^2, the usual test of a share: 85, 194 and
    783 for 65, 60 and 55 %. None at one half, where there is nothing to find. DataError: no share.
    """
    if not 0 <= win_rate <= 1:
        raise DataError(f"win_rate: expected a share between 0 and 1, got {win_rate:g}")
    if win_rate == 0.5:
        return None
    spread = _bar(1) / 2 + float(norm.ppf(power)) * math.sqrt(win_rate * (1 - win_rate))
    return math.ceil((spread / (win_rate - 0.5)) ** 2)


def _bar(looks: int) -> float:
    return float(norm.ppf(1 - LEVEL / (2 * looks)))
