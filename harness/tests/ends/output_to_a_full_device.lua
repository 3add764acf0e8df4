-- command: lua output_to_a_full_device.lua >/dev/full
print("lost")
io.stderr:write(tostring(io.stdout:flush()), "\n")
io.write("lost")
io.stderr:write(tostring(io.stdout:flush()), "\n")
io.stderr:write(tostring(select(2, io.write(("x"):rep(100000)))), "\n")
print("lost again")
io.stdout:setvbuf("no")
io.stderr:write(tostring(select(2, io.write("more"))), "\n")
