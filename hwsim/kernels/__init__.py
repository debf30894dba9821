"""Inner loops: pure functions over arrays. No objects, no I/O, no randomness.

Everywhere `spikes` is (samples, steps, sources), `a` (samples, steps, targets); samples run in
parallel. A kernel advances the steps `t0 <= t < t1`, so the same code runs a feed-forward layer
over all steps at once and a recurrent one step by step. Real and integer networks share the
delivery kernels: the dtype of `a` decides.
"""
