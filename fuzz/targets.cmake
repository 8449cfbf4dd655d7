lade_fuzz(decompress compress)
