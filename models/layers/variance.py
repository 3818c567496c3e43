"""The schedule of the expected variance: the fixed scalars that a BN-free residual network puts in front of its signs.

    beta_i = v_i^(-1/2),   v_0 = 1,   v_(i+1) = 1 after a reset, else v_i + alpha^2

Every residual add of a branch of unit variance, scaled by alpha, makes the stream's variance grow by alpha^2; a
transition block, whose shortcut is itself scaled by beta, sets it back to 1.

Reference: Chen et al., CVPR workshops 2021 (after Brock et al., ICLR 2021); values as in their released code.
"""

from collections.abc import Sequence

ALPHA = 0.2


def expected_betas(resets: Sequence[bool], alpha: float = ALPHA) -> list[float]:
    """beta of each residual branch in order; ``resets[i]``: the variance starts anew at 1 behind branch i."""
    betas, variance = [], 1.0
    for reset in resets:
        betas.append(variance**-0.5)
        variance = 1.0 if reset else variance + alpha**2
    return betas
