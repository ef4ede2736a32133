"""Kernels of a GPU, in Triton: as many launches for a hundred candidates as for one.

`tables.py` brings bytecode to the device. `interpreter.py` has the kernel that runs it over all slices, with
`operators.py` for each opcode, and the one that sums the gradients of parameters; `formulas.py` launches them.
`descent.py` is the kernel of Adam, AdamW and SGD, which `optimisers.py` launches. `usable.py` says where all of this
is used; nothing else here imports Triton before.
"""
