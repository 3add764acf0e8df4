return false, 5
