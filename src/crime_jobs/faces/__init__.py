"""Who is in this photograph: watch lists, matching, the queue of leads and who decided on them."""
