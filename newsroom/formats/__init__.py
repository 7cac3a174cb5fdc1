"""How dates and hours are written where Django's own way does not fit a desk (settings.FORMAT_MODULE_PATH)."""
