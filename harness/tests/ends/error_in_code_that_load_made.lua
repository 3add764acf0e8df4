load("local x = nil + 1", "=made")()
