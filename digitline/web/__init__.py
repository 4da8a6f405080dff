"""Digitline's own page: server-rendered, a little htmx, no build step.

Where things are: `app` puts the application together, `security` lets in and keeps out, `rendering` makes pages of
templates, `pages/` has a module for each kind of page, each with its `routes`. How a page is added stands in `pages`.
"""
