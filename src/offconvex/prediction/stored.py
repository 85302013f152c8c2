"""Stored experiments of the chapter on predicting generalization."""

from offconvex.prediction.larger import LARGER
from offconvex.prediction.study import AGAIN, STUDY

STORED = (STUDY, AGAIN, LARGER)
