-- Makes wallets w0, w1, ... with so much in each.     ARGV: first, count, balance
for number = ARGV[1], ARGV[1] + ARGV[2] - 1 do
    redis.call('SET', 'w' .. string.format('%d', number), ARGV[3])
end
return redis.status_reply('OK')
