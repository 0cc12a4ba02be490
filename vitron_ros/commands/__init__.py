"""Commands: a sentence as steps, and the steps done one after the other, by a node or offline."""
