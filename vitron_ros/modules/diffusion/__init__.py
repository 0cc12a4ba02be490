"""What the backends on pipelines of diffusers have in common."""
