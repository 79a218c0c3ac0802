"""Measurements against other trainers: `python -m bench.ppo`; docs/benchmarks.md says how."""
