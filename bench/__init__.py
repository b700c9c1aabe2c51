"""`make bench`: what is fast and what bounds it, compared within one run on one machine."""
