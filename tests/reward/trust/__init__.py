"""How far a reward can be trusted, each figure against a closed form or a planted truth."""
