"""Pairs of images at a distance: are the two of one class?"""
