package job

// Beat is what a worker tells of itself when it renews its lease.
type Beat struct {
	Draining bool               // it takes no more jobs
	Running  int                // jobs
	Pools    map[string]PoolUse // of its target databases, by name
	Runs     RunWindow          // that ended in the last minute
}

// PoolUse is how the connections to a database are used at one moment. Those of
// several workers add up.
type PoolUse struct {
	InUse       int     `json:"in_use"`       // operations that run
	Idle        int     `json:"idle"`         // connections that are open and unused
	Max         int     `json:"max"`          // operations that may run at the same time
	Waiting     int     `json:"waiting"`      // operations that wait for a connection
	Waits       int64   `json:"waits"`        // operations that have had to wait, since the worker started
	WaitSeconds float64 `json:"wait_seconds"` // that they have waited, since the worker started

	CacheHits   int64 `json:"cache_hits"`   // reads that were answered from the cache, since the worker started
	CacheMisses int64 `json:"cache_misses"` // reads that asked for it and were not
}

// Add returns the sum of the two.
func (p PoolUse) Add(other PoolUse) PoolUse {
	return PoolUse{
		InUse: p.InUse + other.InUse, Idle: p.Idle + other.Idle, Max: p.Max + other.Max, Waiting: p.Waiting + other.Waiting,
		Waits: p.Waits + other.Waits, WaitSeconds: p.WaitSeconds + other.WaitSeconds,
		CacheHits: p.CacheHits + other.CacheHits, CacheMisses: p.CacheMisses + other.CacheMisses,
	}
}
