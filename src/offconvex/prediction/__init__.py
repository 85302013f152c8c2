"""Room of the chapter on predicting generalization: classifiers, a generator, and what its samples say of them."""
