"""Stored experiments of the chapter on tensor factorization."""

from offconvex.factorizations import tensor_images
from offconvex.stored import StoredExperiment

STORED = (
    StoredExperiment(
        name="tensor-images",
        chapter="tensor-factorization",
        config=tensor_images.Images(),
        parts=tensor_images.parts,
        run=tensor_images.run_part,
        assemble=tensor_images.assemble,
    ),
)
