"""The panel: 24 functions of the catalogue that stand for all of it where a sweep would cost too much."""

PANEL = (
    "Sine", "Tanh", "SELU", "ELU", "Mish", "Softplus", "Sigmoid", "Arctan", "Arcsinh", "Erf", "Softsign", "HardTanh",
    "LeakyReLU", "PReLU", "Absolute value", "Squared ReLU", "Gaussian", "Snake", "x+sin(x)", "min(x,sin(x)) (minsin)",
    "HardSwish", "Penalized tanh", "Tanhshrink", "Symlog",
)  # fmt: skip
