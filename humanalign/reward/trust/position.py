"""Do labelers prefer what they see first, and does the reward pay for it?"""

from __future__ import annotations

from humanalign.reward.trust.scored import Scored, figure


def position_bias(scored: Scored, *, seed: int = 0) -> dict | None:
    """The card's part on position; None where it is not known which answer was shown first.

    The order of display is drawn at random, so a fair labeler chooses the first answer half the
    time; and a reward, which never saw the order, is less often right where habit decided.
    """
    known = scored.where(lambda pair: pair.first is not None)
    first = known.where(lambda pair: bool(pair.first))
    second = known.where(lambda pair: not pair.first)
    share = figure([float(bool(p.first)) for p in known.pairs], known.prompts, seed=seed)
    if share is None:
        return None
    return {
        "first_chosen": share,
        "when_first_wins": figure(first.right, first.prompts, seed=seed),
        "when_second_wins": figure(second.right, second.prompts, seed=seed),
    }
