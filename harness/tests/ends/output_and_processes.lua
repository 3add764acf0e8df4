-- command: lua output_and_processes.lua 2>&1
io.write("one ")
os.execute("echo two")
io.write("three ")
io.popen("echo four"):close()
io.popen("cat", "w"):write("five\n"):close()
print("six")
