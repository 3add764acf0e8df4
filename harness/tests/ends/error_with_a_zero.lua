error("one\0two")
