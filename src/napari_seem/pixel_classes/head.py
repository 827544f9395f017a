"""The classifier itself: multinomial logistic regression on standardised features.

The ridge is the best of a few on training images of thin structures.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

from ..values import ArrayValue
from .features import Statistics

FloatArray = npt.NDArray[np.floating]
RIDGE = 1e-2
"""Weight of the squared coefficients beside the mean loss of a class."""
STEPS = 60
"""Largest number of steps of the minimiser."""
ROUNDS = 20
LEAST_SHARE = 0.01
"""Rounds of estimating how often the classes occur, and the least share that one may have."""


@dataclass(frozen=True, eq=False)
class LinearHead(ArrayValue):
    """Scores of classes, linear in the features.

    Attributes
    ----------
    weights : float32 array (D, K)
    bias : float32 array (K,)
    """

    weights: FloatArray = field(repr=False)
    bias: FloatArray = field(repr=False)

    @classmethod
    def fit(cls, features: FloatArray, classes: npt.NDArray[np.intp], count: int) -> LinearHead:
        """Fit to the pixels of strokes; every class weighs the same, however long its strokes.

        Parameters
        ----------
        features : float32 array (N, D)
        classes : int array (N,)
            From 0 to `count` - 1, each at least once.
        count : int
        """
        weight = (1 / count / np.bincount(classes, minlength=count))[classes].astype(np.float32)
        wanted = np.eye(count, dtype=np.float32)[classes]

        def loss(flat: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
            matrix = flat.reshape(-1, count).astype(np.float32)
            scores = features @ matrix[:-1] + matrix[-1]
            error = logsumexp(scores, axis=1) - (scores * wanted).sum(1)
            pull = weight[:, None] * (softmax(scores, axis=1) - wanted)
            slope = np.concatenate([features.T @ pull + 2 * RIDGE * matrix[:-1], pull.sum(0)[None]])
            total = weight @ error + RIDGE * float((matrix[:-1] ** 2).sum())
            return float(total), slope.ravel().astype(np.float64)

        start = np.zeros((features.shape[1] + 1) * count)
        found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": STEPS})
        matrix = found.x.reshape(-1, count).astype(np.float32)
        return cls(matrix[:-1], matrix[-1])

    def on_plane(self, statistics: Statistics) -> LinearHead:
        """Return the scores of a plane's features as they are, with the classes' shares in it.

        The strokes are as many of each class. How often the classes occur in the plane is estimated
        by expectation maximisation (Saerens et al. 2002) from the features of a sample.
        """
        scores = statistics.sample.astype(np.float32) @ self.weights + self.bias
        balanced = softmax(scores, axis=1)
        shares = np.full(len(self.bias), 1 / len(self.bias), np.float32)
        for _ in range(ROUNDS):
            adjusted = balanced * shares
            shares = (adjusted / adjusted.sum(1, keepdims=True)).mean(0)
        weights = self.weights / statistics.spread[:, None]
        prior = np.log(np.maximum(shares, LEAST_SHARE)) + np.log(len(shares))
        return LinearHead(weights, self.bias + prior - statistics.mean @ weights)
