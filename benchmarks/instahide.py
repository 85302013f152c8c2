"""Encrypting 10,000 images of 28 x 28 against a loop over images, the likelihood decoder against descent, and seeds.

The loop encrypts as the formula reads, image by image, on a slice that is multiplied up. A sweep of the likelihood
decoder is compared with a step of the published one, and with the same step by autograd. The last lines try seeds.

    OMP_NUM_THREADS=1 python benchmarks/instahide.py
"""

import time

import torch

from offconvex import datasets, rng, runtime
from offconvex.instahide import attack, decode, prng
from offconvex.instahide.keys import SeededKeysForExperiments
from offconvex.instahide.scheme import cross, encrypt
from offconvex.instahide.utility import centered, encrypt_one

SLICE, SPACE = 300, 20_000


def seconds(work, repetitions: int = 1) -> float:
    """Processor time of `work`, the least of a few tries after one that warms up."""
    work()
    best = float("inf")
    for _ in range(repetitions):
        begin = time.process_time()
        work()
        best = min(best, time.process_time() - begin)
    return best


def autograd_step(observed, images, mixing):
    leaf = images.clone().requires_grad_()
    return torch.autograd.grad(decode.descent_loss(observed, leaf, mixing, 0.05), leaf)[0]


def compare_encryption(k: int, images: torch.Tensor, labels: torch.Tensor) -> None:
    scheme, keys = cross(k), SeededKeysForExperiments(0, "benchmark")
    fast = seconds(lambda: encrypt(images, labels, scheme, images), 3)
    slow = seconds(lambda: [encrypt_one(i, images, labels, images, scheme, keys) for i in range(SLICE)])
    slow *= len(images) / SLICE
    print(f"k = {k}, 10,000 images, system keys: {fast:.3f} s; loop {slow:.2f} s, {slow / fast:.0f} times as long")


if __name__ == "__main__":
    rt = runtime.resolve("cpu", torch.float32)
    found = datasets.fashion_mnist("train", runtime=rt)
    images, labels = centered(found.pixels), found.labels
    for k in (4, 6):
        compare_encryption(k, images, labels)
    data = attack.data_of(100, 0, rt)
    published, truth = attack.publish(data, 6, 20, 0)
    mixtures, prior = attack.true_mixtures(truth, published), decode.prior_of(data.public)
    problem = decode.Problem.of(published.images, mixtures, prior)
    mixing, start = problem.mixing, rt.normal(rng.generator(0, "benchmark"), 100, 784) / 3
    sweep = seconds(lambda: decode.sweep(problem, start, 1.0, 3.0), 5)
    step = seconds(lambda: decode.descent_gradient(problem.observed, start, mixing, 0.05), 5)
    automatic = seconds(lambda: autograd_step(problem.observed, start, mixing), 5)
    print(f"one sweep of the likelihood decoder, 2000 encryptions: {sweep / step:.2f} steps of the published one")
    print(f"one step of the published decoder by autograd: {automatic / step:.2f} times the step by hand")
    tried = seconds(lambda: prng.search(published, range(SPACE))) / SPACE
    print(f"seed search: {tried * 1e6:.1f} us a seed, {tried * 2**32 / 3600:.1f} hours for all 2^32")
