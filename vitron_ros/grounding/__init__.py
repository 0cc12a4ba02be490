"""The slow loop's side: clips and words in, boxes and answers out. Serves every camera; knows no goal and no track."""
