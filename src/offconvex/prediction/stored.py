"""Stored experiments of the chapter on predicting generalization."""

from offconvex.prediction.study import STUDY

STORED = (STUDY,)
