"""An estimate of the energy of one inference, from counts and published constants.

The constants are for a 45 nm process at 0.9 V (Horowitz 2014, Fig. 1.1.9): they rank
networks against each other. They are no measurement of any device at hand.
"""

from dataclasses import dataclass

from minprune.metrics.count import Count

MULTIPLY_PJ = 3.7
"""One 32-bit floating-point product, in picojoules."""

ADD_PJ = 0.9
"""One 32-bit floating-point sum, in picojoules."""

CACHE_PJ = 10.0
"""64 bits read from an 8 KB cache, in picojoules."""

DRAM_PJ = 1300.0
"""64 bits read from DRAM, in picojoules: the lower end of the 1.3 to 2.6 nJ given."""

SOURCE = (
    "M. Horowitz, 'Computing's energy problem (and what we can do about it)', ISSCC "
    "2014, Fig. 1.1.9: 45 nm, 0.9 V"
)


@dataclass(frozen=True, slots=True)
class Energy:
    """Microjoules for one sample, by what they are spent on."""

    arithmetic: float
    activations: float
    weights: float

    @property
    def total(self) -> float:
        """Microjoules in all."""
        return self.arithmetic + self.activations + self.weights


def energy(count: Count) -> Energy:
    """Estimate the energy of one inference.

    Parameters
    ----------
    count : Count
        Of the network, from `minprune.metrics.count`.

    Returns
    -------
    energy : Energy
        Every executed multiply-add costs a product and a sum, and reads a 32-bit
        operand from cache; every resident byte of the network comes once from DRAM.

    References
    ----------
    .. [1] M. Horowitz, "Computing's energy problem (and what we can do about it)",
       ISSCC 2014, Fig. 1.1.9.
    """
    macs, micro = count.macs_executed, 1e-6
    return Energy(
        macs * (MULTIPLY_PJ + ADD_PJ) * micro,
        macs * CACHE_PJ / 2 * micro,
        count.resident_bytes / 8 * DRAM_PJ * micro,
    )
