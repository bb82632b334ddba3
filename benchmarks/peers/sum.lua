-- The sum of the balances of some wallets.     ARGV: first, count
local sum = 0
for number = ARGV[1], ARGV[1] + ARGV[2] - 1 do
    sum = sum + redis.call('GET', 'w' .. string.format('%d', number))
end
-- As text: a number in an answer is a whole one, but Lua's may be printed with an exponent.
return string.format('%.0f', sum)
