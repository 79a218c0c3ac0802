"""Policies that learn from rewards or pairs. Called as `humanalign.align(policy, data, ...)`."""

from humanalign.rooms import callable_room

callable_room(__name__, "methods")
