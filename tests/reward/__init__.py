"""Tests of the reward room."""
