"""From the chapters' sources to committed notebooks, results and pages."""
