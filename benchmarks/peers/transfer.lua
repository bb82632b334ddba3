-- One transfer. Redis runs a script alone, from its beginning to its end.
--   KEYS: payer's balance, payee's balance, the transfer under the client's id     ARGV: amount
-- Answers 0 accepted, 1 insufficient funds, 2 no such wallet, 3 the id stands for another transfer. A known id gets
-- its first answer again. The row of a transfer: outcome, terms, and both balances after it.
local terms = KEYS[1] .. ' ' .. KEYS[2] .. ' ' .. ARGV[1] .. ' '
local known = redis.call('GET', KEYS[3])
if known then
    if string.sub(known, 3, 2 + #terms) == terms then
        return tonumber(string.sub(known, 1, 1))
    end
    return 3
end
local payer = redis.call('GET', KEYS[1])
if not payer or KEYS[1] == KEYS[2] or redis.call('EXISTS', KEYS[2]) == 0 then
    return 2
end
local amount = tonumber(ARGV[1])
if tonumber(payer) < amount then
    redis.call('SET', KEYS[3], '1 ' .. terms)
    return 1
end
local payer_after = redis.call('DECRBY', KEYS[1], amount)
local payee_after = redis.call('INCRBY', KEYS[2], amount)
redis.call('SET', KEYS[3], '0 ' .. terms .. payer_after .. ' ' .. payee_after)
return 0
