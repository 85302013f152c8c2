"""Encrypting 10,000 images of 28 x 28 against a loop over images, the likelihood decoder against descent, and seeds.

The loop encrypts as the formula reads, image by image, on a slice that is multiplied up. A sweep of the likelihood
decoder is compared with a step of the published one, and with the same step by autograd. The last lines try seeds.

    OMP_NUM_THREADS=1 python benchmarks/instahide.py
"""

import timing
import torch

from offconvex import datasets, rng, runtime
from offconvex.book.publication.performance import Comparison
from offconvex.instahide import attack, decode, prng
from offconvex.instahide.keys import SeededKeysForExperiments
from offconvex.instahide.scheme import cross, encrypt
from offconvex.instahide.utility import centered, encrypt_one

SLICE, SPACE = 300, 20_000


def autograd_step(observed, images, mixing):
    leaf = images.clone().requires_grad_()
    return torch.autograd.grad(decode.descent_loss(observed, leaf, mixing, 0.05), leaf)[0]


def encryption(k: int, images: torch.Tensor, labels: torch.Tensor) -> Comparison:
    scheme, keys = cross(k), SeededKeysForExperiments(0, "benchmark")

    def loop() -> None:
        for i in range(SLICE):
            encrypt_one(i, images, labels, images, scheme, keys)

    contestants = [
        timing.Contestant("all images together", lambda: encrypt(images, labels, scheme, images), 1),
        timing.Contestant("image by image", loop, SLICE / len(images)),
    ]
    return timing.compare("encryption", f"10,000 images of 28 x 28, k = {k}", "epoch", contestants, rounds=3)


def decoders(rt: runtime.Runtime) -> list[Comparison]:
    data = attack.data_of(100, rt, 0)
    published, truth = attack.publish(data, 6, 20, 0)
    mixtures, prior = attack.true_mixtures(truth, published), decode.prior_of(data.public)
    problem = decode.Problem.of(published.images, mixtures, prior)
    mixing, start = problem.mixing, rt.normal(rng.generator(0, "benchmark"), 100, 784) / 3

    def by_hand() -> None:
        decode.descent_gradient(problem.observed, start, mixing, 0.05)

    published_decoder = [
        timing.Contestant("gradient by hand", by_hand),
        timing.Contestant("autograd", lambda: autograd_step(problem.observed, start, mixing)),
    ]
    own_decoder = [
        timing.Contestant("sweep of the likelihood decoder", lambda: decode.sweep(problem, start, 1.0, 3.0)),
        timing.Contestant("step of the published decoder", by_hand, meaning="another algorithm", reference=True),
    ]
    seeds = [
        timing.Contestant(
            "search", lambda: prng.search(published, range(SPACE)), SPACE / 2**32, meaning="of all 2³² seeds"
        )
    ]
    return [
        timing.compare("published decoder", "2000 encryptions of 100 images", "step", published_decoder, rounds=5),
        timing.compare("likelihood decoder", "2000 encryptions of 100 images", "sweep", own_decoder, rounds=5),
        timing.compare("seed search", "released generator, 2000 encryptions", "search", seeds, rounds=1),
    ]


def rows() -> list[Comparison]:
    rt = runtime.resolve("cpu", torch.float32)
    found = datasets.fashion_mnist("train", rt=rt)
    images, labels = centered(found.pixels), found.labels
    return [encryption(k, images, labels) for k in (4, 6)] + decoders(rt)


if __name__ == "__main__":
    timing.show(rows())
