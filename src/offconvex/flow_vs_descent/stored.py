"""Stored experiments of the chapter on gradient flow and gradient descent."""

from offconvex.flow_vs_descent.curvature_stored import CURVATURE
from offconvex.flow_vs_descent.precision import PRECISION
from offconvex.flow_vs_descent.step_sizes import STEP_SIZES

STORED = (STEP_SIZES, CURVATURE, PRECISION)
