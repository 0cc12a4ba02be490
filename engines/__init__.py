"""Export, building and checking of compiled parts of a model. Run from the checkout; imports vitron_ros."""
