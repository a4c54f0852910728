"""Weights that come back as they went, tiles without seams, blanks left blank."""

import numpy as np
import pytest
import torch

from almabrain.console.errors import UserError
from almabrain.networks.infer import choose_device, load, logits, save
from almabrain.networks.shapes import pixel_covariance
from almabrain.networks.unet import BlobsFinder

BEAM = pixel_covariance(4.0, 4.0, 0.0, 1.0)


@pytest.fixture
def network():
    torch.manual_seed(1)
    made = BlobsFinder(4, 3)
    # Statistics as after some training, so that evaluation mode does something.
    made.train()(torch.randn(4, 2, 32, 32))
    return made.eval()


def test_tiles_have_no_seams(network):
    plane = np.random.default_rng(0).standard_normal((150, 203))
    whole = logits(network, plane, BEAM, tile_pix=1024)
    np.testing.assert_allclose(logits(network, plane, BEAM, tile_pix=40), whole, atol=1e-5)


def test_reach_is_an_upper_bound(network):
    maps = torch.randn(1, 2, 256, 256, requires_grad=True)
    network(maps)[0, 0, 131, 125].backward()
    y, x = np.nonzero(maps.grad[0].abs().sum(0).numpy())
    assert max(np.ptp(y), np.ptp(x)) > 20
    assert max(*np.abs(y - 131), *np.abs(x - 125)) <= network.reach_pix


def test_answer_does_not_depend_on_the_flux_scale(network):
    plane = np.random.default_rng(0).standard_normal((96, 96))
    np.testing.assert_allclose(logits(network, 1e-5 * plane, BEAM), logits(network, plane, BEAM), atol=1e-4)


def test_blank_pixels_are_never_sources(network):
    plane = np.random.default_rng(0).standard_normal((96, 96))
    plane[:20] = np.nan
    found = logits(network, plane, BEAM)
    assert np.all(np.isneginf(found[:20])) and np.isfinite(found[20:]).all()


def test_weights_carry_their_settings(network, tmp_path):
    save(tmp_path / "w.safetensors", network, {"base_channels": 4, "levels": 3, "seed": 5})
    loaded, facts = load(tmp_path / "w.safetensors")
    maps = torch.randn(1, 2, 32, 32)
    torch.testing.assert_close(loaded(maps), network(maps))
    assert facts["seed"] == 5


@pytest.mark.parametrize("cut", [10, 200])
def test_broken_weights_are_a_sentence(network, tmp_path, cut):
    path = tmp_path / "w.safetensors"
    save(path, network, {"base_channels": 4, "levels": 3})
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(UserError, match="not a whole safetensors file"):
        load(path)
    with pytest.raises(UserError, match="does not exist"):
        load(tmp_path / "none.safetensors")


def test_foreign_weights_are_refused(tmp_path):
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(UserError, match="weights made by train"):
        load(tmp_path / "other.safetensors")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_cuda_without_a_device_is_a_sentence():
    with pytest.raises(UserError, match="train.device"):
        choose_device("cuda")
    assert choose_device("auto").type == "cpu"
