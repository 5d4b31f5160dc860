// Package fleet owns what the processes of an installation share about the APIs
// that jobs call: rate limits, pauses that upstreams asked for, and circuit
// breakers. One Upstream per client is the gate that clients asks before each
// send, and that a worker asks how many parked jobs may start.
//
// With Redis, limits and breakers hold for all processes together. Without, or
// while Redis is away, each process keeps its share of a limit and a breaker of
// its own; nothing fails for it. docs/adr/0014 has the protocol.
//
// It refuses to know jobs: who is refused is told why and for how long, and what
// becomes of the job is others' decision.
package fleet
