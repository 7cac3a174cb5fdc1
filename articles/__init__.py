"""Stories: writing, publishing and reading.

publishing        the verbs: save, submit, schedule, publish, correct, withdraw, restore (permissions, refusals, states)
revisions         the stored versions of a story
markup, images    Markdown to HTML; pictures in several sizes (captions, picture_model)
slugs             the address of a story, and redirects from former ones
views, search     the readers' pages
feeds, sitemaps, seo, syndication   stories for feed readers, crawlers, search engines and mails
admin/            the editors' pages
"""
