error("bare", 0)
