-- The load for wrk: announces of 200 ports over 1,000 torrents (see contenders.rs).

local seed = 0

-- Each thread of wrk its own numbers, and the same ones in every run.
function setup(thread)
    seed = seed + 1
    thread:set("seed", seed)
end

function init(args)
    math.randomseed(seed)
end

function request()
    return wrk.format("GET", string.format(
        "/announce?info_hash=benchmark%011d&peer_id=-MB1000-abcdefghijkl&port=%d"
            .. "&uploaded=0&downloaded=0&left=1&compact=1&numwant=30",
        math.random(0, 999), math.random(10000, 10199)))
end
