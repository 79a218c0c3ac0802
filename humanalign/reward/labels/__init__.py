"""Classifiers from texts with labels: rows, loss, fit, what is kept, how well it tells apart."""
