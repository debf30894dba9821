"""Inner loops: pure functions over arrays. No objects, no I/O, no randomness.

`advance` runs a prepared network (`tables`) through its steps, sample by sample, and counts what
happens; `deliver`, `neurons` and `graded` are the loops inside. Real and integer networks share all
of it: the types of the arrays decide.
"""
