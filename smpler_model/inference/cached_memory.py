"""Gives back the memory of a GPU that PyTorch keeps for later."""

import gc
import logging

import torch

logger = logging.getLogger(__name__)


def give_back_memory(device: torch.device) -> None:
    """Free what nothing uses any more, so that something else fits.

    It may come after an error that has left CUDA, or PyTorch's allocator, unable to free
    anything. That is logged and no error: whatever is tried next says whether it fits.

    Args:
        device: whose memory it is; on a CPU nothing is kept.
    """
    gc.collect()
    if device.type != "cuda":
        return
    try:
        torch.cuda.empty_cache()
    except RuntimeError as error:
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        logger.warning("PyTorch's unused memory on %s could not be freed: %s", device, reason)
