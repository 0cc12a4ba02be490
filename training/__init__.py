"""Training of the project's own models: worlds, data, stages. Run from the checkout; never imported by vitron_ros."""
