"""Every duration of the fleet's rules with its reason, in microseconds."""

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE

# An agent's heartbeat costs little and makes a dead machine visible within half a minute.
AGENT_HEARTBEAT = 5 * SECOND
# How often an idle agent asks for work when its call is not held open.
ASK_FOR_WORK = 10 * SECOND

# Late: some heartbeats missed. Six for an agent; a bare client sends one every 30 s, so three.
LATE_AGENT = 30 * SECOND
LATE_BARE = 90 * SECOND
# Offline: as long as a lease, so that "offline" and "unreachable" begin together.
OFFLINE = 10 * MINUTE

# A run outlives a restart of the router, a Windows update of the server, a short sleep.
LEASE = 10 * MINUTE
# From a bare claim to the first sign of life: Sim4Life and phantom downloads start slowly.
FIRST_SIGN = 20 * MINUTE
# After its lease ended, an assignment waits this long for its worker to come back before it is offered to another.
OFFER_AFTER_LEASE = 20 * MINUTE
# Whoever has nothing else takes it then. After so many times as long it is taken in its study's turn: begun at the very
# end, a long assignment made studies that lost one of twelve machines a tenth longer (docs/decisions/0010).
OFFER_IN_TURN = 3
# A tick that comes this much later (or earlier) than planned means a jump or a sleep, not load.
CLOCK_JUMP = 30 * SECOND

# Heartbeats prove the machine, not the study: no sign of study life for so long is worth a look.
STALLED = 30 * MINUTE
# Messages and uploads overtake `finished` on three sender threads and one child process; then the run is judged.
JUDGE_DELAY = 30 * SECOND
# Longest disorder of bare log lines that is put right: the client's request timeout and a little more.
REORDER_WINDOW = 15 * SECOND
# A message not later than an ended run's closing time plus this, on its sender's clock, belongs to that run.
LATE_AFTER_CLOSE = 60 * SECOND

# A simulation cannot run or extract in its first moment: a sign this close to its announcement overtook it.
OVERTAKE = SECOND // 4
