"""The panel: 24 functions of the catalogue that stand for all of it where a sweep would cost too much.

Twelve are in use, those of ``torch.nn`` and the sine. Twelve are the best on recorded tasks, two of each of six: see
``benchmarks/panel.py``, which also says how far its best function is from the catalogue's best.
"""

PANEL = (
    "Sine", "Tanh", "Sigmoid", "ELU", "SELU", "Mish", "Softplus", "Softsign", "HardTanh", "HardSwish", "LeakyReLU",
    "PReLU", "SSU (shifted sinc unit)", "Soft++", "LEAF", "Optimal classifier activation, sine form", "SigLin",
    "Evolved tanh(x^2)+relu(x) (ETR)", "ErfReLU", "Pserf", "Mexican hat (Ricker)", "Soft clipping", "RMAF", "HardMish",
)  # fmt: skip
