"""Many labelers at once against a real server process: nothing lost, nothing twice, in good time.

The same parts serve the tests here and `python -m bench.labelling`, which prints the figures.
"""
