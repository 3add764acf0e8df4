-- command: lua output_is_kept_back.lua 2>&1
io.write("written first\n")
io.stderr:write("told second\n")
print(io.read())
io.write("question ")
io.stderr:write("not yet asked\n")
io.read()
io.stdout:flush()
io.stderr:write("at the end\n")
