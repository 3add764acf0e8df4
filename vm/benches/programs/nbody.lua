-- Planets that attract each other: fields of tables, floats, a square root.
local function system()
  return {
    { x = 0.0, y = 0.0, z = 0.0, vx = 0.0, vy = 0.0, vz = 0.0, mass = 39.47 },
    { x = 4.84, y = -1.16, z = -0.10, vx = 0.606, vy = 2.81, vz = -0.025, mass = 0.0377 },
    { x = 8.34, y = 4.12, z = -0.40, vx = -1.01, vy = 1.82, vz = 0.0084, mass = 0.0113 },
    { x = 12.89, y = -15.11, z = -0.22, vx = 1.08, vy = 0.868, vz = -0.0108, mass = 0.0017 },
    { x = 15.38, y = -25.92, z = 0.18, vx = 0.979, vy = 0.594, vz = -0.0348, mass = 0.002 },
  }
end

local function advance(bodies, dt)
  local count = #bodies
  for i = 1, count do
    local a = bodies[i]
    local ax, ay, az, amass = a.x, a.y, a.z, a.mass
    for j = i + 1, count do
      local b = bodies[j]
      local dx, dy, dz = ax - b.x, ay - b.y, az - b.z
      local square = dx * dx + dy * dy + dz * dz
      local magnitude = dt / (square * square ^ 0.5)
      local bm = b.mass * magnitude
      a.vx = a.vx - dx * bm
      a.vy = a.vy - dy * bm
      a.vz = a.vz - dz * bm
      local am = amass * magnitude
      b.vx = b.vx + dx * am
      b.vy = b.vy + dy * am
      b.vz = b.vz + dz * am
    end
  end
  for i = 1, count do
    local body = bodies[i]
    body.x = body.x + dt * body.vx
    body.y = body.y + dt * body.vy
    body.z = body.z + dt * body.vz
  end
end

return function()
  local bodies = system()
  for _ = 1, 15000 do
    advance(bodies, 0.01)
  end
  return ("%.9f %.9f"):format(bodies[1].x, bodies[5].vz)
end
