"""Oracle of the cochlea's filters: responses by the published package `gammatone` (J. Heeris).

pip install gammatone==1.0.3 && python tests/datasets/data/make_gammatone.py

Writes gammatone-1.0.3.npz: centre frequencies, frequencies, and the gain of each filter there.
"""

from pathlib import Path

import numpy as np
from gammatone.filters import erb_space, make_erb_filters
from scipy.signal import freqz

SAMPLE_RATE_HZ = 8000
F_MIN_HZ, F_MAX_HZ, N_CHANNELS = 100, 3600, 8


def main() -> None:
    """Centres by the package's own ERB scale, responses from its own coefficients."""
    f_hz = np.linspace(20, 3980, 100)
    # erb_space leaves the upper end out: ask for one channel less, then add it
    centres_hz = np.append(erb_space(F_MIN_HZ, F_MAX_HZ, N_CHANNELS - 1)[::-1], F_MAX_HZ)
    gains = []
    for a0, a11, a12, a13, a14, a2, b0, b1, b2, gain in make_erb_filters(
        SAMPLE_RATE_HZ, centres_hz
    ):
        response = np.ones(len(f_hz), complex)
        for a1 in (a11, a12, a13, a14):
            response *= freqz([a0, a1, a2], [b0, b1, b2], f_hz, fs=SAMPLE_RATE_HZ)[1]
        gains.append(np.abs(response) / gain)
    target = Path(__file__).with_name("gammatone-1.0.3.npz")
    np.savez_compressed(target, centres_hz=centres_hz, f_hz=f_hz, gain=np.array(gains))


if __name__ == "__main__":
    main()
