"""Room of the chapter on meta-overfitting: analysts who reuse a held-out set, and what keeps them honest."""
