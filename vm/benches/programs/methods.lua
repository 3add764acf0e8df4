-- Method calls on objects whose classes inherit.
local Shape = {}
Shape.__index = Shape

function Shape.new(class, width, height)
  return setmetatable({ width = width, height = height, moved = 0 }, class)
end

function Shape:area()
  return self.width * self.height
end

function Shape:move(by)
  self.moved = self.moved + by
  return self
end

local Square = setmetatable({}, { __index = Shape })
Square.__index = Square

function Square:area()
  return self.width * self.width
end

return function()
  local shapes, sum = {}, 0
  for i = 1, 10 do
    shapes[i] = (i % 2 == 0 and Shape or Square):new(i, i + 1)
  end
  for i = 1, 100000 do
    local shape = shapes[i % 10 + 1]
    sum = sum + shape:area() + shape:move(1):move(2).moved % 3
  end
  return sum
end
