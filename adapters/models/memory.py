"""How much memory is free where models are computed, asked before weights are read."""

from __future__ import annotations

from adapters.models.base_model import Device


def free_memory(device: Device) -> int:
    """Bytes that are free on the GPU, or in the machine's memory."""
    if device.is_gpu:
        import torch

        return int(torch.cuda.mem_get_info(device.name)[0])
    import psutil

    return int(psutil.virtual_memory().available)


def gigabytes(count: int) -> str:
    """Bytes as people read them, in units of 2**30."""
    return f"{count / 2**30:.1f} GB"
