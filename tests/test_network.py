"""Both published forms: the numbers of the authors' code, sizes from the weights, clear refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from lptn_cli.branches import ResidualBlock, Variant
from lptn_cli.checkpoint import read_checkpoint
from lptn_cli.errors import PresetError
from lptn_cli.network import LPTN, Form
from lptn_cli.pyramid import decompose
from tests.seeded import seeded_image, seeded_network, seeded_state

REFERENCE = Path(__file__).parents[2] / "shared" / "reference"
VECTORS = Path(__file__).parent / "vectors.npz"  # made by tests/make_vectors.py, checked against REFERENCE
CASES = [(form, num_high) for form in ("paper", "released") for num_high in (3, 4, 5)]
needs_reference = pytest.mark.skipif(not REFERENCE.is_dir(), reason="needs ../shared/reference")


def reference_network(name: str) -> LPTN:
    if name == "released_fivek_L3":
        return LPTN.from_state_dict(read_checkpoint(REFERENCE / "net_g_FiveK_numhigh3.pth"))
    return LPTN.from_state_dict(load_file(REFERENCE / f"{name}.safetensors"))


@needs_reference
@pytest.mark.parametrize("size", ["96x128", "101x75"])
@pytest.mark.parametrize("name", [f"{form}_random_L{n}" for form, n in CASES] + ["released_fivek_L3"])
def test_equals_the_authors_code(name: str, size: str) -> None:
    vectors = np.load(REFERENCE / f"{name}.npz")
    image = torch.from_numpy(vectors[f"input_{size}"]).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        result = reference_network(name)(image)[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(result, vectors[f"output_{size}"], atol=1e-5)


@needs_reference
def test_pyramid_equals_the_authors_code() -> None:
    vectors = np.load(REFERENCE / "released_fivek_L3.npz")
    image = torch.from_numpy(vectors["input_96x128"]).permute(2, 0, 1)[None].float() / 255
    highs, low = decompose(image, 3)
    for level, found in enumerate([*highs, low]):
        wanted = vectors[f"pyramid_96x128_level{level}"]
        np.testing.assert_allclose(found[0].permute(1, 2, 0).numpy(), wanted, atol=1e-6)


@pytest.mark.parametrize(("form", "num_high"), CASES)
def test_pinned_vectors(form: Form, num_high: int) -> None:
    with torch.inference_mode():
        result = seeded_network(form, num_high)(seeded_image(64, 96))
    wanted = np.load(VECTORS)[f"{form}_{num_high}"]
    np.testing.assert_allclose(result[0, :, ::7, ::5].numpy(), wanted, atol=1e-5)


@pytest.mark.parametrize("form", ["paper", "released"])
def test_sizes_are_deduced_from_the_weights(form: Form) -> None:
    network = LPTN.from_state_dict(seeded_state(form, nrb_low=4, nrb_high=2, num_high=4))
    assert (network.form, network.num_high, network.min_side) == (form, 4, 32)
    assert len([k for k in network.state_dict() if k.endswith("block.0.weight")]) == 4 + 2


def test_paper_form_leaves_a_flat_area_flat() -> None:
    variant = Variant(padding="reflect")
    with torch.inference_mode():
        result = seeded_network("paper", 3, variant)(torch.full((1, 3, 80, 96), 0.5))
    assert float((result.amax((2, 3)) - result.amin((2, 3))).max()) < 1e-5


def differently_lit_at_the_left() -> tuple[torch.Tensor, torch.Tensor]:
    """Two photos that are the same but for their left edge."""
    image = seeded_image(64, 320)
    other = image.clone()
    other[..., :32] *= 0.3
    return image, other


@pytest.mark.parametrize("context", [False, True])
def test_with_context_the_whole_photo_bears_on_every_place(context: bool) -> None:
    state = seeded_state("paper", nrb_low=2, nrb_high=1, num_high=3, context=context)
    network = LPTN.from_state_dict(state, Variant("reflect", "none", "linear"))
    with torch.inference_mode():
        one, other = (network(image)[..., -32:] for image in differently_lit_at_the_left())
    assert (float((one - other).abs().mean()) > 1e-4) == context


def test_context_that_says_nothing_changes_nothing() -> None:
    state = seeded_state("paper", nrb_low=2, nrb_high=1, num_high=3, context=True)
    plain = {key: value for key, value in state.items() if ".context." not in key}
    silent = {k: torch.zeros_like(v) if ".context.layers.4." in k else v for k, v in state.items()}
    with torch.inference_mode():
        of_plain, of_silent, of_state = (
            LPTN.from_state_dict(some)(seeded_image(64, 96)) for some in (plain, silent, state)
        )
    assert torch.allclose(of_plain, of_silent, atol=1e-6)
    assert not torch.allclose(of_plain, of_state, atol=1e-3)


def test_a_network_without_context_is_given_one_that_says_nothing_yet() -> None:
    network, image = seeded_network("paper", 3), seeded_image(64, 96)
    with torch.inference_mode():
        before = network(image)
        assert torch.allclose(network.with_context()(image), before, atol=1e-6)
    context = network.trans_low.context
    assert context is not None
    assert network.with_context().trans_low.context is context
    assert LPTN.from_state_dict(network.state_dict()).trans_low.context is not None
    without_blocks = LPTN.from_state_dict(seeded_state("paper", nrb_low=0, nrb_high=1, num_high=3))
    with torch.inference_mode():
        assert without_blocks.with_context()(image).shape == image.shape


def test_context_modulates_what_each_block_finds_by_what_the_whole_photo_is_like() -> None:
    network = LPTN.from_state_dict(seeded_state("paper", 2, 1, 3, context=True), Variant("reflect", "none"))
    model, context = network.trans_low.model, network.trans_low.context
    assert context is not None
    with torch.inference_mode():
        low, image = seeded_image(16, 24), seeded_image(128, 192)
        x = model[4](model[3](model[2](model[1](model[0](low)))))
        deviations = (x.var((2, 3), correction=0) + 1e-4).sqrt()
        places = torch.tensor([0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98])
        tones = image.flatten(2)[:, :, ::7].quantile(places, dim=2, interpolation="nearest")
        statistics = torch.cat([x.mean((2, 3)), deviations, 2 * tones.permute(1, 2, 0).flatten(1) - 1], dim=1)
        said = context.layers(statistics).view(1, 2, 2, 64, 1, 1)  # photo, block, gain or offset, channel
        for n in (0, 1):
            block = model[5 + n]
            assert isinstance(block, ResidualBlock)
            x = x + block.block[1:](block.block[0](x) * (1 + said[:, n, 0]) + said[:, n, 1])
        wanted = torch.tanh(low + model[9](model[8](model[7](x))))
        assert torch.allclose(network.trans_low(low, image), wanted, atol=1e-5)


@pytest.mark.parametrize("context", [True, False])
def test_context_tells_leaves_of_light_and_dark_from_grey(context: bool) -> None:
    state = seeded_state("paper", nrb_low=2, nrb_high=1, num_high=3, context=context)
    network = LPTN.from_state_dict(state, Variant("reflect", "none", "linear"))
    grey = torch.full((1, 3, 64, 96), 0.5)
    chequered = grey - 0.2 + 0.4 * ((torch.arange(64)[:, None] + torch.arange(96)) % 2)
    with torch.inference_mode():
        lows = [network.trans_low(grey[..., :8, :12], image) for image in (grey, chequered)]
    assert (float((lows[0] - lows[1]).abs().mean()) > 1e-4) == context


def test_masks_at_the_coarsest_level_equal_masks_at_their_own() -> None:
    """Carrying the mask up level by level, as published, gives what one pass at the coarsest level gives."""
    network = seeded_network("paper", 4)
    highs, _ = decompose(seeded_image(96, 64), 4)
    start = torch.rand(1, 1, *highs[-1].shape[-2:], generator=torch.Generator().manual_seed(1))
    mask, level_by_level = start, []
    with torch.inference_mode():
        for i, high in enumerate(reversed(highs)):
            mask = torch.nn.functional.interpolate(mask, size=high.shape[-2:])
            mask = network.trans_high.block(i)(mask)
            level_by_level.append(mask)
        for found, wanted in zip(network._paper_masks(highs, start), level_by_level[::-1], strict=True):
            assert torch.allclose(found, wanted, atol=1e-6)


def test_smallest_side_works_and_needs_no_more() -> None:
    network = seeded_network("paper", 3, Variant(padding="reflect"))
    with torch.inference_mode():
        assert network(seeded_image(network.min_side, 50)).shape == (1, 3, 16, 50)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.pop("trans_low.model.0.bias"), "trans_low.model.0.bias is missing"),
        (lambda s: s.update({"extra": torch.zeros(1)}), "extra is unknown"),
        (lambda s: s.update({"trans_low.model.0.bias": torch.zeros(9)}), r"\(9,\), not \(16,\)"),
        (lambda s: s.update({"trans_low.model.0.bias": torch.full((16,), torch.nan)}), "not numbers"),
        (
            lambda s: s.update({"trans_low.context.layers.0.bias": torch.zeros(96)}),
            "layers.0.weight is missing",
        ),
        (lambda s: s.clear(), "no mask block"),
    ],
)
def test_other_weights_are_refused(change, said: str) -> None:  # type: ignore[no-untyped-def]
    state = seeded_state("paper", 2, 1, 3)
    change(state)
    with pytest.raises(PresetError, match=said):
        LPTN.from_state_dict(state)


def test_aliases_of_published_checkpoints_are_dropped_by_name() -> None:
    state = seeded_state("released", 2, 1, 3)
    for part in ("0.weight", "0.bias", "2.weight", "2.bias"):
        state[f"trans_high.trans_mask_block.{part}"] = state[f"trans_high.trans_mask_block_2.{part}"]
    assert LPTN.from_state_dict(state).num_high == 3


def test_strips_of_rows_are_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """The released form's full-resolution blocks see a few rows at a time, and nobody can tell."""
    torch.manual_seed(1)
    network = LPTN(form="released").eval()
    image = torch.rand(1, 3, 72, 104)
    with torch.inference_mode():
        whole = network(image)
        monkeypatch.setattr("lptn_cli.network.STRIP_PIXELS", 5 * 104)
        assert torch.allclose(network(image), whole, atol=1e-6)
