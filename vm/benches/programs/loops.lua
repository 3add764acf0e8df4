-- Numeric loops over integers and floats, with a while and a repeat.
return function()
  local sum, product, mask = 0, 1.0, 0
  for i = 1, 1000000 do
    sum = sum + i % 7 * 3
    mask = mask ~ (i << 3 & 0xFFFF)
  end
  for x = 0.0, 1000.0, 0.002 do
    product = product + x * 0.5 - product / 3
  end
  local steps, n = 0, 837799
  while n ~= 1 do
    n = n % 2 == 0 and n // 2 or 3 * n + 1
    steps = steps + 1
  end
  local a, b = 1, 1
  repeat
    a, b = b, (a + b) % 1000003
    steps = steps + 1
  until steps >= 500000
  return ("%d %.10g %d %d %d"):format(sum, product, mask, steps, a)
end
