"""Text in, records with places out. The disk is not known here: text and a name come in."""
