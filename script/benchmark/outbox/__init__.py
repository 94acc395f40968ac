"""``script/bench callbacks``: what a delivery costs beside posting it (docs/delivery-proofs.md)."""
