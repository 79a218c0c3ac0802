"""The live page over a folder of runs: what trains now, its curves and samples, runs compared."""
