"""Golden values of the objectives, and the two tolerances that the suite compares numbers with.

EXACT: float64 arithmetic in another order. CLOSE: the same mathematics in float32.
"""

EXACT = {"rtol": 0.0, "atol": 1e-12}
CLOSE = {"rtol": 1e-5, "atol": 1e-6}
