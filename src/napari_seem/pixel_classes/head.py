"""The classifier itself: multinomial logistic regression on standardised features."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

from ..values import ArrayValue

FloatArray = npt.NDArray[np.float32]
RIDGE = 1e-3
"""Weight of the squared coefficients beside the mean loss of a class."""
STEPS = 60
"""Largest number of steps of the minimiser."""


@dataclass(frozen=True, eq=False)
class Head(ArrayValue):
    """Scores of classes, linear in the features.

    Attributes
    ----------
    weights : float32 array (D, K)
    bias : float32 array (K,)
    """

    weights: FloatArray = field(repr=False)
    bias: FloatArray = field(repr=False)

    @classmethod
    def fit(cls, features: FloatArray, classes: npt.NDArray[np.intp], count: int) -> Head:
        """Fit to the pixels of strokes; every class weighs the same, however long its strokes.

        Parameters
        ----------
        features : float32 array (N, D)
        classes : int array (N,)
            From 0 to `count` - 1, each at least once.
        count : int
        """
        weight = (1 / count / np.bincount(classes, minlength=count))[classes].astype(np.float32)
        middle = weight @ features
        spread = np.sqrt(weight @ (features - middle) ** 2) + 1e-3
        scaled = (features - middle) / spread
        wanted = np.eye(count, dtype=np.float32)[classes]

        def loss(flat: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
            matrix = flat.reshape(-1, count).astype(np.float32)
            scores = scaled @ matrix[:-1] + matrix[-1]
            error = logsumexp(scores, axis=1) - (scores * wanted).sum(1)
            pull = weight[:, None] * (softmax(scores, axis=1) - wanted)
            slope = np.concatenate([scaled.T @ pull + 2 * RIDGE * matrix[:-1], pull.sum(0)[None]])
            total = weight @ error + RIDGE * float((matrix[:-1] ** 2).sum())
            return float(total), slope.ravel().astype(np.float64)

        start = np.zeros((features.shape[1] + 1) * count)
        found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": STEPS})
        matrix = found.x.reshape(-1, count).astype(np.float32)
        weights = matrix[:-1] / spread[:, None]
        return cls(weights, matrix[-1] - middle @ weights)
