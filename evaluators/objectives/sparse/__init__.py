"""How few of a layer's neurons an example needs: what can be left out, foretold, or used again."""
