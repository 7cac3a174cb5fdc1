"""How any letter is built: addresses, tokens, text, look and headers. No models; imports no other app."""
