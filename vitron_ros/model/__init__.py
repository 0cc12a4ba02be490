"""One model for both papers: `VitronModel` and its parts."""
