"""One line of an array as a chain of resistors."""

from dataclasses import dataclass

import numpy as np

from hwsim.arrays import FloatArray


@dataclass(frozen=True, slots=True)
class Ladder:
    """Segments of a line, from the node farthest from its end to ground.

    Attributes:
        r: (nodes,) ohm; r[k] joins node k to node k + 1, the last joins its node to the end.
        g_start: siemens from node 0 to the other end; 0 where the line ends in the open.
    """

    r: FloatArray
    g_start: float

    @classmethod
    def of(cls, lengths: FloatArray, r_segment: float, r_end: float, both: bool) -> "Ladder":
        """A ladder of nodes that are `lengths` segments apart.

        Args:
            lengths: (nodes + 1,) segments before the first node, between nodes, after the last.
            r_segment: ohm of a segment. r_end: ohm in series at each end in use.
            both: whether the first end is in use too.
        """
        r = np.array(lengths[1:] * r_segment)
        r[-1] += r_end
        if not both:
            return cls(r, 0.0)
        if not r_segment:  # one node: its two ends are in parallel
            r[-1] = r_end / 2
            return cls(r, 0.0)
        return cls(r, 1.0 / (lengths[0] * r_segment + r_end))

    @property
    def ideal(self) -> bool:
        """Whether the whole line is its end."""
        return bool(self.r[-1] == 0.0)

    @property
    def reach_ohm(self) -> float:
        """Sum of the resistances of all nodes to the end: bounds the norm of the line's inverse."""
        return float(np.cumsum(self.r[::-1]).sum())
