"""Honest numbers before and after. Called as `humanalign.evaluate(policy, against=..., ...)`."""

from humanalign.rooms import callable_room

callable_room(__name__, "compare")
