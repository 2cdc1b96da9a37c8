import pytest
import torch
from torch import nn

from smpler_model.inference.folding import RectifiedConvolution, fold_backbone
from smpler_model.network.backbone import build_backbone
from smpler_model.network.config import SMPLER_NANO
from tests.small_hrnet import SMALL_HRNET


@pytest.fixture(scope="module")
def backbone() -> nn.Module:
    """Return a float64 backbone whose statistics differ from those of a new batch norm."""
    torch.manual_seed(0)
    network = build_backbone(SMALL_HRNET).double()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
    return network.eval()


def test_feature_maps_are_equal(backbone: nn.Module) -> None:
    images = torch.randn(2, 3, 96, 96, dtype=torch.double)
    with torch.inference_mode():
        for folded, plain in zip(fold_backbone(backbone)(images), backbone(images), strict=True):
            torch.testing.assert_close(folded, plain, rtol=1e-11, atol=1e-11)


def test_only_convolutions_remain(backbone: nn.Module) -> None:
    kinds = [type(module) for module in fold_backbone(backbone).modules()]
    assert nn.BatchNorm2d not in kinds
    assert nn.Identity not in kinds
    convolutions = sum(isinstance(module, nn.Conv2d) for module in backbone.modules())
    assert kinds.count(nn.Conv2d) == convolutions
    assert kinds.count(RectifiedConvolution) > convolutions / 2


def test_a_backbone_without_batch_norms_gives_the_same_maps() -> None:
    torch.manual_seed(3)
    mobile = build_backbone(SMPLER_NANO).double()
    images = torch.randn(2, 3, 96, 96, dtype=torch.double)
    folded = fold_backbone(mobile)
    assert nn.Identity not in map(type, folded.modules())
    with torch.inference_mode():
        for found, plain in zip(folded(images), mobile(images), strict=True):
            torch.testing.assert_close(found, plain, rtol=1e-11, atol=1e-11)


def test_the_backbone_is_unchanged(backbone: nn.Module) -> None:
    before = {name: values.clone() for name, values in backbone.state_dict().items()}
    fold_backbone(backbone)
    after = backbone.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], values) for name, values in before.items())


class Shared(nn.Module):
    """A convolution whose output is used before its batch norm as well."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(2, 2, 1)
        self.norm = nn.BatchNorm2d(2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        seen = self.convolution(images)
        return self.norm(seen) + seen


def test_a_convolution_with_other_uses_is_not_folded() -> None:
    torch.manual_seed(1)
    shared = Shared().eval()
    nn.init.uniform_(shared.norm.weight, 2, 3)
    images = torch.randn(1, 2, 3, 3)
    torch.testing.assert_close(fold_backbone(shared)(images), shared(images))


@pytest.mark.parametrize("residual_first", [True, False])
def test_a_residual_on_either_side(residual_first: bool) -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution = nn.Conv2d(2, 2, 3, padding=1)
            self.activation = nn.ReLU()

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            seen = self.convolution(images)
            return self.activation(images + seen if residual_first else seen + images)

    torch.manual_seed(2)
    module = Residual()
    images = torch.randn(1, 2, 5, 5)
    folded = fold_backbone(module)
    torch.testing.assert_close(folded(images), module(images))
    assert [node.op for node in folded.graph.nodes].count("call_module") == 1


class OnGpu(torch.Tensor):
    """A tensor that says it is on a GPU."""

    is_cuda = True


class Kernels:
    """Stands for cuDNN's fused kernels: each call is noted and ends with an error."""

    def __init__(self, patch: pytest.MonkeyPatch, error: Exception, *, capturing: bool) -> None:
        self.error, self.calls = error, 0
        for name in ("cudnn_convolution_relu", "cudnn_convolution_add_relu"):
            patch.setattr(torch, name, self.call)
        patch.setattr(torch.cuda, "is_current_stream_capturing", lambda: capturing)

    def call(self, *_: object) -> torch.Tensor:
        self.calls += 1
        raise self.error


NO_ENGINE = RuntimeError("FIND was unable to find an engine to execute this computation")


@pytest.mark.parametrize("has_residual", [True, False])
def test_a_layer_that_has_no_kernel_is_computed_in_turn(
    monkeypatch: pytest.MonkeyPatch, has_residual: bool
) -> None:
    kernels = Kernels(monkeypatch, NO_ENGINE, capturing=False)
    torch.manual_seed(4)
    layer = RectifiedConvolution(nn.Conv2d(2, 3, 3, padding=1))
    images, residual = torch.randn(1, 2, 5, 5), torch.randn(1, 3, 5, 5)
    given = (residual,) if has_residual else ()
    wanted = (layer.convolution(images) + (residual if has_residual else 0)).relu()
    for _ in range(2):
        found = layer(images.as_subclass(OnGpu), *given)
        torch.testing.assert_close(found.as_subclass(torch.Tensor), wanted)
    assert kernels.calls == 1  # known from then on


@pytest.mark.parametrize(
    ("error", "capturing"),
    [(NO_ENGINE, True), (torch.cuda.OutOfMemoryError("CUDA out of memory"), False)],
)
def test_other_errors_are_not_the_layers(
    monkeypatch: pytest.MonkeyPatch, error: Exception, capturing: bool
) -> None:
    kernels = Kernels(monkeypatch, error, capturing=capturing)
    layer = RectifiedConvolution(nn.Conv2d(2, 3, 3))
    for _ in range(2):
        with pytest.raises(RuntimeError, match=str(error)):
            layer(torch.randn(1, 2, 5, 5).as_subclass(OnGpu))
    assert kernels.calls == 2
