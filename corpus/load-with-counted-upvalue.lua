-- moonphase: lua=5.4 gc=5.3 check=barrier schedule=steps:1x400,2x400,3x400,4x400,5x400,6x400,7x400,8x400,9x400,10x400
-- clean: gc=5.4
-- An upvalue that is counted is no object of the collector's, and its count is zero until the closure of a loaded chunk has
-- it: no turn may come in between, or it looks like one that was forgotten.
load(" ")
