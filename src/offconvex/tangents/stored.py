"""Stored experiments of the chapter beyond the neural tangent kernel."""

from offconvex.tangents.signed import SIGNED
from offconvex.tangents.taylor_stored import TAYLOR
from offconvex.tangents.thresholds import CURVES

STORED = (TAYLOR, SIGNED, CURVES)
