"""Stored experiments of the chapter on InstaHide."""

from offconvex.instahide.utility import UTILITY

STORED = (UTILITY,)
