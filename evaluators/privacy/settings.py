"""How private a training is: clip, noise and sampling of DP-SGD."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Privacy:
    """DP-SGD of Abadi et al. 2016 (arXiv:1607.00133), the steps of any optimiser.

    A step takes each training example with probability q. Each one's gradient is scaled down to a norm of at most C;
    to their sum normal noise of deviation sigma C is added, and the whole is divided by q n, n the training examples.

    Args:
        clip: C, the largest norm of the gradient of one example, over all that is trained, the candidate's parameters
            included.
        noise: sigma.
        sampling: q.
    """

    clip: float
    noise: float
    sampling: float

    def fault(self) -> str | None:
        """The setting that means nothing, what was expected and what came; None if there is none."""
        if not 0 < self.clip < math.inf:
            return f"clip: expected a positive number, got {self.clip}"
        if not 0 <= self.noise < math.inf:
            return f"noise: expected a number from 0 on, got {self.noise}"
        if not 0 < self.sampling <= 1:
            return f"sampling: expected a probability above 0, up to 1, got {self.sampling}"
        return None
