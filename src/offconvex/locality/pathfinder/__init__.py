"""Are two dots on one path?"""
