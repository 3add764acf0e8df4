io.stderr:close()
print(io.type(io.stderr))
error("nobody hears")
