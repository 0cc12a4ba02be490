"""ElysiumTrack data from captioned videos: phrases with trajectories, as in section 3.2 of Elysium (arXiv 2403.16558).

caption -> noun phrases -> detector, in three frames -> tracker, forwards and backwards -> filters -> tracks
"""
