"""Stored experiments of the chapter on tensor factorization."""

from offconvex.factorizations.tensor import images as tensor_images
from offconvex.factorizations.tensor import init_scale as tensor_init_scale
from offconvex.stored import legacy

IMAGES = legacy(
    name="tensor-images",
    chapter="tensor-factorization",
    config=tensor_images.Images(),
    parts=tensor_images.parts,
    run=tensor_images.run_part,
    assemble=tensor_images.assemble,
)
INIT_SCALES = legacy(
    name="tensor-init-scale",
    chapter="tensor-factorization",
    config=tensor_init_scale.InitScales(),
    parts=tensor_init_scale.parts,
    run=tensor_init_scale.run_part,
    assemble=tensor_init_scale.assemble,
)
