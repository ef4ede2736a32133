"""Chains: networks that the native engine trains by itself, from the first step to the last.

`chain.py` has the record, `recording.py` finds it in a network, `functions.py`, `losses.py` and `slopes.py` what else
is known, `chains.py` keeps it by task; `choice.py` says which members the engine trains, `native_stack.py` trains
them, through `formulas.py`, `structures.py` and `calls.py`; `probe.py` and `identity.py` tell two engines apart.
"""
