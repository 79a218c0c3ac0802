"""Judgements in files: what other tools wrote is read, what people judged is written for all."""
