"""How any mail is built. No models; imports no other app.

addresses         normalises addresses: one mailbox, one key
tokens            signed links
html              renders Markdown to safe HTML and plain text, in a sandboxed process (sandbox, markup_child)
markdown_blocks   CommonMark's lists and code for Python-Markdown; markdown_inline: links, strikethrough, task lists
sanitising        the allow-list of HTML; removals and author_messages: what it removed, in sentences for the author
absolute_links    makes the links of a text absolute, for mails and feeds
plaintext         converts HTML to plain text
mjml              renders the look of a mail
message           builds one letter
segments          compiles a mail once, then renders a copy per reader (headers, encoded_words)
local_mail        mails as files, which the inbox shows
"""
