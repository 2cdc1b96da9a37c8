"""Folds batch norms and activations of the backbone into its convolutions, for inference."""

import copy
import logging

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

logger = logging.getLogger(__name__)


class RectifiedConvolution(nn.Module):
    """A convolution, the optional sum with a residual, and ReLU.

    On a GPU this is a single cuDNN kernel; separate PyTorch operations would read and write the
    feature map three more times. Where cuDNN has none for this layer, the operations follow one
    another from then on.
    """

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.convolution = convolution
        self._has_kernel = True  # until cuDNN refuses

    def forward(self, images: Tensor, residual: Tensor | None = None) -> Tensor:
        """(b, n, h, w) and an optional residual (b, m, h', w') -> (b, m, h', w')."""
        if not (images.is_cuda and self._has_kernel):
            return self._in_turn(images, residual)
        if torch.compiler.is_compiling():  # which runs what follows only once, without a GPU
            return self._in_one_kernel(images, residual)
        try:
            return self._in_one_kernel(images, residual)
        except torch.cuda.OutOfMemoryError:
            raise
        except RuntimeError as error:
            # Graphs are warmed up before they are captured: by then it is known.
            if torch.cuda.is_current_stream_capturing():
                raise
            found = self._in_turn(images, residual)
            self._has_kernel = False
            logger.info("cuDNN has no single kernel for %s (%s)", self.convolution, error)
            return found

    def _in_turn(self, images: Tensor, residual: Tensor | None) -> Tensor:
        convolved: Tensor = self.convolution(images)
        return F.relu(convolved if residual is None else convolved + residual)

    def _in_one_kernel(self, images: Tensor, residual: Tensor | None) -> Tensor:
        layer = self.convolution
        where = (layer.bias, layer.stride, layer.padding, layer.dilation, layer.groups)
        if residual is None:
            return torch.cudnn_convolution_relu(images, layer.weight, *where)  # type: ignore[arg-type]
        return torch.cudnn_convolution_add_relu(
            images,
            layer.weight,
            residual,
            1.0,
            *where,  # type: ignore[arg-type]
        )


def fold_backbone(backbone: nn.Module) -> fx.GraphModule:
    """Return the function of a backbone in evaluation mode with fewer operations.

    Products of weights are rounded to the backbone's type: to lose nothing, fold in float64 and
    cast afterwards.

    Args:
        backbone: convolutions, batch norms and activations that `torch.fx` can trace; submodules
            without any of these are kept. The backbone itself is unchanged.
    """
    whole = copy.deepcopy(backbone).eval()
    traced = fx.GraphModule(whole, _ConvolutionTracer().trace(whole))
    _remove_identities(traced)
    _fold_batch_norms(traced)
    _join_activations(traced)
    traced.graph.lint()
    traced.delete_all_unused_submodules()
    traced.recompile()
    return traced


class _ConvolutionTracer(fx.Tracer):
    """Traces only into modules that contain something to fold."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Return whether a module is kept as a call."""
        inside = any(isinstance(part, nn.Conv2d) for part in m.modules())
        return not inside or super().is_leaf_module(m, module_qualified_name)


def _remove_identities(traced: fx.GraphModule) -> None:
    for node in list(traced.graph.nodes):
        if isinstance(_module_of(traced, node), nn.Identity):
            node.replace_all_uses_with(node.args[0])
            traced.graph.erase_node(node)


def _fold_batch_norms(traced: fx.GraphModule) -> None:
    """Scale and shift the convolutions' weights; a batch norm without a convolution stays."""
    for node in list(traced.graph.nodes):
        norm = _module_of(traced, node)
        if not isinstance(norm, nn.BatchNorm2d):
            continue
        before = node.args[0]
        convolution = _module_of(traced, before)
        if isinstance(convolution, nn.Conv2d) and len(before.users) == 1:
            traced.set_submodule(str(before.target), fuse_conv_bn_eval(convolution, norm))
            node.replace_all_uses_with(before)
            traced.graph.erase_node(node)


def _join_activations(traced: fx.GraphModule) -> None:
    """Replace relu(convolution) and relu(convolution + residual) by one module."""
    for node in list(traced.graph.nodes):
        if not isinstance(_module_of(traced, node), nn.ReLU):
            continue
        inner, residual = node.args[0], None
        if _is_sum(inner):
            inner, residual = _split_sum(traced, inner)
        convolution = _module_of(traced, inner)
        if not isinstance(convolution, nn.Conv2d) or len(inner.users) > 1:
            continue
        traced.set_submodule(str(inner.target), RectifiedConvolution(convolution))
        with traced.graph.inserting_before(node):
            arguments = inner.args if residual is None else (*inner.args, residual)
            joined = traced.graph.call_module(str(inner.target), arguments)
        total = node.args[0]
        node.replace_all_uses_with(joined)
        for used in dict.fromkeys((node, total, inner)):
            traced.graph.erase_node(used)


def _is_sum(node: fx.Node) -> bool:
    is_add = node.op == "call_function" and getattr(node.target, "__name__", "") == "add"
    return is_add and len(node.users) == 1


def _split_sum(traced: fx.GraphModule, total: fx.Node) -> tuple[fx.Node, fx.Node]:
    """Return the convolution and the other term of a sum, in whichever order they are added."""
    left, right = total.all_input_nodes
    free = isinstance(_module_of(traced, left), nn.Conv2d) and len(left.users) == 1
    return (left, right) if free else (right, left)


def _module_of(traced: fx.GraphModule, node: fx.Node) -> nn.Module | None:
    return traced.get_submodule(str(node.target)) if node.op == "call_module" else None
