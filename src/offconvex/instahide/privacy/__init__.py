"""Learning from private images: what gradients tell, what differential privacy costs, and what it promises."""
