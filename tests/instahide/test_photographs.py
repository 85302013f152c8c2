"""Patches of photographs: what they are cut from, and what a bad file is answered."""

import numpy as np
import pytest
import torch
from PIL import Image

from offconvex import rng, runtime
from offconvex.instahide import attack, decode, photographs

SINGLE = runtime.resolve("cpu", torch.float32)


def picture(height, width, seed=0):
    return rng.numpy_generator(seed, "picture").integers(0, 256, (height, width), dtype=np.uint8)


def save(array, path):
    Image.fromarray(array).save(path)
    return path


def test_patches_of_the_supplied_photograph_vary_and_repeat():
    found = photographs.patches(photographs.supplied(), 50, 0)
    assert found.shape == (50, 28, 28) and found.dtype == np.uint8
    assert found.std(axis=(1, 2)).min() >= photographs.FLAT
    assert len({patch.tobytes() for patch in found}) == 50
    assert np.array_equal(found, photographs.patches(photographs.supplied(), 50, 0))
    assert not np.array_equal(found, photographs.patches(photographs.supplied(), 50, 1))


def test_a_picture_of_the_patch_s_size_is_kept_as_it_is_or_mirrored(tmp_path):
    image = picture(28, 28)
    found = photographs.patches(save(image, tmp_path / "own.png"), 20, 0)
    kinds = {patch.tobytes() for patch in found}
    assert kinds == {image.tobytes(), np.ascontiguousarray(image[:, ::-1]).tobytes()}


def test_larger_squares_are_averaged():
    """A square of 56 pixels made of blocks of 2 x 2 comes back as its block means, whichever square was drawn."""
    blocks = picture(28, 28)
    large = np.kron(blocks, np.ones((2, 2), dtype=np.uint8))

    class Draws:
        def __init__(self):
            self.values = iter((56, 0, 0))

        def integers(self, *bounds):
            return next(self.values)

        def random(self):
            return 0.9

    assert np.array_equal(photographs._patch(large, Draws()), blocks)


def test_a_folder_and_an_array_hold_the_same_pictures(tmp_path):
    images = [picture(40, 60, seed) for seed in range(3)]
    for number, image in enumerate(images):
        save(image, tmp_path / f"{number}.png")
    (tmp_path / "notes.txt").write_text("no picture")
    np.save(tmp_path / "pictures.npy", np.stack(images))
    from_folder = photographs.patches(tmp_path, 30, 0)
    assert np.array_equal(from_folder, photographs.patches(tmp_path / "pictures.npy", 30, 0))
    color = np.stack([images[0]] * 3, axis=-1)
    save(color, tmp_path / "color.png")
    assert np.array_equal(photographs.read(tmp_path / "color.png")[0], images[0])


def test_bad_sources_are_answered_in_a_sentence(tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    broken, small, flat = tmp_path / "broken.png", tmp_path / "small.png", tmp_path / "flat.png"
    whole = save(picture(40, 40), tmp_path / "whole.png").read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    save(picture(20, 40), small)
    save(np.full((40, 40), 9, dtype=np.uint8), flat)
    for name, content in (("float", np.zeros((2, 30, 30))), ("plane", picture(30, 30)), ("none", picture(0, 30)[None])):
        np.save(tmp_path / f"{name}.npy", content)
    (tmp_path / "text.npy").write_text("no array")
    with pytest.raises(FileNotFoundError, match="nothing is"):
        photographs.read(tmp_path / "absent")
    for source, message in (
        (empty, "holds no photograph"),
        (broken, "cannot be read as an image"),
        (small, "20 x 40 pixels"),
        (tmp_path / "float.npy", "got float64"),
        (tmp_path / "plane.npy", r"got uint8 \(30, 30\)"),
        (tmp_path / "none.npy", "0 x 30 pixels"),
        (tmp_path / "text.npy", "cannot be read as an array"),
    ):
        with pytest.raises(ValueError, match=message):
            photographs.read(source)
    with pytest.raises(ValueError, match="too flat"):
        photographs.patches(flat, 2, 0)
    with pytest.raises(ValueError, match="positive number"):
        photographs.patches(flat, 0, 0)


def test_the_attack_mixes_in_the_reader_s_photographs_and_expects_them(tmp_path):
    source = save(picture(60, 60), tmp_path / "noise.png")
    plain, other = attack.data_of(12, SINGLE, 0), attack.data_of(12, SINGLE, 0, str(source))
    assert torch.equal(plain.private, other.private) and torch.equal(plain.kin, other.kin)
    assert torch.equal(plain.public, plain.kin) and other.public.shape == plain.public.shape
    assert not torch.equal(other.public, plain.public)
    prior, usual = decode.prior_of(other.kin, other.public), decode.prior_of(plain.kin)
    assert torch.equal(prior.mean, usual.mean) and torch.equal(usual.public_mean, usual.mean)
    flat = other.public.flatten(1).double()
    assert torch.allclose(prior.public_mean, flat.mean(0))
    assert prior.public_variance == pytest.approx(flat.var(0).mean().item())
    # Knowing what is mixed in, the decoder does better than if it expected the private images' kind.
    published, truth = attack.publish(other, 6, 10, 0)
    mixtures = attack.true_mixtures(truth, published)
    right, wrong = (
        attack.quality(decode.maximize(published.images, mixtures, p, decode.Likelihood()), other.private)[0]
        for p in (prior, usual)
    )
    assert right > wrong
