error(17.0)
