"""Low hierarchical tensor rank as locality: what a tree of axes learns, and what it misses."""
