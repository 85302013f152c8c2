"""What a page says about its chapter: what the cells do, how it opens, what the texts say, what seeds show."""
