"""Prompts in, completions out. Called as `humanalign.collect(policy, prompts, ...)`."""

from humanalign.rooms import callable_room

callable_room(__name__, "complete")
