"""The functions whose moments and maps are known from elsewhere, by the names that the tables give them."""

from __future__ import annotations

FUNCTIONS = {
    "relu": "relu(x)",
    "tanh": "tanh(x)",
    "silu": "silu(x)",
    "gelu": "gelu(x)",
    "elu": "elu(x)",
    "selu": "selu(x)",
    "mish": "mish(x)",
    "golu": "x*exp(-exp(-x))",
    "softplus": "softplus(x)",
    "sigmoid": "sigmoid(x)",
    "sin": "sin(x)",
    "snake": "x+sin(x)**2",
    "gauss": "exp(-x*x/2)",
    "relu2": "relu(x)**2",
    "smelu": "where(x<=-1,0,where(x>=1,x,(x+1)**2/4))",
    "erf": "erf(x)",
}
