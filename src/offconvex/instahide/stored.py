"""Stored experiments of the chapter on InstaHide."""

from offconvex.instahide.attack import ATTACK
from offconvex.instahide.private_training import PRIVATE
from offconvex.instahide.utility import LONG, UTILITY

STORED = (ATTACK, PRIVATE, UTILITY, LONG)
