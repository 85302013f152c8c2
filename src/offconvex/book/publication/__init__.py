"""From results to pages, citations, the printed book and releases."""
