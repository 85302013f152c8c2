"""One encryption and a gallery of candidates: which of them does it mix?"""
