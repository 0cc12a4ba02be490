"""From frames to tracks in real time: mailboxes, goals and the pipeline."""
