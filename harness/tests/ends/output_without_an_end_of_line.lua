io.write("no end of line")
