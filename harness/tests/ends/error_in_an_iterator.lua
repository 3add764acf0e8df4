for x in function() error("iterator") end do end
