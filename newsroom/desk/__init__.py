"""The desk's frame: the menu, the first page, and the pages that need several apps."""
