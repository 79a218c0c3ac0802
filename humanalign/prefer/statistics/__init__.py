"""What follows from judgements: who agrees with whom, who labels well, one ranking out of many.

Rankings in, numbers out, numpy and scipy between: nothing here asks the database. `votes` is what
the rest is computed from, `summary` what an owner's page shows.
"""
