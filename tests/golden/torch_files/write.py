"""Writes this folder's files; needs torch and safetensors, which the tests do not. See README.md."""

from collections import Counter, OrderedDict
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

FOLDER = Path(__file__).parent


def tensors():
    """Every kind of tensor that a checkpoint may hold, values 0, 1, 2, ... in row order of each."""
    base = torch.arange(24, dtype=torch.float32)
    return OrderedDict(
        float32=base.reshape(2, 3, 4).clone(),
        bfloat16=base.reshape(4, 6).to(torch.bfloat16),
        float16=base.to(torch.float16),
        int64_scalar=torch.tensor(7, dtype=torch.int64),
        transposed=base.reshape(4, 6).t().contiguous().t(),
        part_of_shared=base[4:10],
        other_part_of_shared=base[10:16].reshape(2, 3),
        empty=torch.zeros(0, 3),
        parameter=torch.nn.Parameter(base[:3].clone()),
    )


def main():
    checkpoint = {
        "epoch": 12,
        "arch": "toy",
        "best": 0.5,
        "state_dict": OrderedDict((f"module.{name}", tensor) for name, tensor in tensors().items()),
    }
    torch.save(tensors(), FOLDER / "zip.pt")
    torch.save(checkpoint, FOLDER / "nested_zip.pth.tar")
    torch.save(tensors(), FOLDER / "legacy.pth", _use_new_zipfile_serialization=False)
    torch.save(checkpoint, FOLDER / "nested_legacy.pth.tar", _use_new_zipfile_serialization=False)
    plain = {name: tensor.detach().clone().contiguous() for name, tensor in tensors().items()}
    save_file(plain, FOLDER / "plain.safetensors")
    beside = dict(
        weight=torch.arange(6.0).reshape(2, 3),
        weight_uint16=torch.arange(3).to(torch.uint16),  # of an untyped storage
        milestones=Counter({30: 1, 60: 2}),  # of the scheduler MultiStepLR
        classes={"wave", "walk"},
        size=torch.Size([2, 3]),
        dtype=torch.bfloat16,
        device=torch.device("cuda", 1),
        layout=torch.strided,
        buffer=bytearray(b"ab"),
        raw=b"cd",
        number=1 + 2j,
        quantised=torch.quantize_per_tensor(torch.arange(3.0), 0.1, 0, torch.qint8),
    )
    torch.save(beside, FOLDER / "beside.pt")
    torch.load(FOLDER / "beside.pt", weights_only=True)
    np.savez(FOLDER / "expected.npz", **{name: tensor.float().numpy() for name, tensor in plain.items()})


main()
